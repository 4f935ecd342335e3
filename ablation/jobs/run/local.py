"""Run all jobs of a study on the configured kind of cluster, telling a board what happens."""

import multiprocessing
import os
import pdb  # noqa: T100 it is what cluster=debug is for
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager

from pebble import ProcessExpired, ProcessPool

from ablation.config.cluster import Local
from ablation.config.environment import PYTHON, SLURM, inherited
from ablation.data.download import fetch, required_sources
from ablation.jobs.run.job import Job, JobResult, print_trace, quiet_libraries, run_job, run_logged_job
from ablation.jobs.run.live_table import LiveTable
from ablation.specs.cell import addresses
from ablation.store.store import Store

_POLL_S = 0.5


def run_jobs(jobs: Sequence[Job], cluster: Local, board: LiveTable) -> list[JobResult]:
    """The outcome of every job that ended, the largest cells first. Ctrl-C raises KeyboardInterrupt with workers stopped.

    Raises HubUnreachable, before any job starts, when a model of the hub cannot be had.
    """
    largest_first = sorted(jobs, key=lambda job: -job.cell.count.size)
    if not cluster.in_process:
        _fetch_models(jobs)
    with board:
        if cluster.in_process:
            return list(_in_process(largest_first, board, look_around if cluster.kind == "debug" else print_trace))
        return list(_in_workers(largest_first, cluster, board))


def next_stage(job: Job) -> str:
    """The first stage of a job that is not complete on disk: what its worker is at."""
    store = Store(job.store_root)
    return next((name for name, address in addresses(job.cell).items() if not store.is_complete(address)), "done")


def look_around(error: Exception) -> None:
    """Open the debugger where the error was raised, when somebody sits at a terminal."""
    print_trace(error)
    if sys.stdin.isatty():
        pdb.post_mortem(error.__traceback__)


def _in_process(jobs: Sequence[Job], board: LiveTable, on_crash: Callable[[Exception], None]) -> Iterator[JobResult]:
    quiet_libraries()
    for job in jobs:
        board.started(job.name)
        outcome = run_job(job, lambda stage, name=job.name: board.stage(name, stage), on_crash=on_crash)  # type: ignore[misc]
        board.ended(outcome)
        yield outcome


def _in_workers(jobs: Sequence[Job], cluster: Local, board: LiveTable) -> Iterator[JobResult]:
    if not jobs:
        return
    with _environment_of_workers(cluster.threads_per_worker):
        pool = ProcessPool(max_workers=cluster.workers_for(len(jobs)), context=multiprocessing.get_context("spawn"))
        try:
            pending: dict[Future[JobResult], Job] = {pool.schedule(run_logged_job, args=(job,)): job for job in jobs}
            while pending:
                done, _ = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = _outcome(future, pending.pop(future))
                    board.ended(outcome)
                    yield outcome
                for future, job in pending.items():
                    if future.running():
                        board.started(job.name)
                        board.stage(job.name, next_stage(job), aloud=False)
            pool.close()  # type: ignore[no-untyped-call]
        finally:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _outcome(future: "Future[JobResult]", job: Job) -> JobResult:
    try:
        return future.result()
    except ProcessExpired as died:
        return JobResult(job.name, f"the worker process died (exit code {died.exitcode}); see {job.log}", 0.0, ())
    except Exception as unforeseen:  # noqa: BLE001 outside the job's own guard, such as a log that cannot be opened
        return JobResult(job.name, f"{type(unforeseen).__name__}: {unforeseen}", 0.0, ())


@contextmanager
def _environment_of_workers(threads: int) -> Iterator[None]:
    """What workers inherit, before any library reads it: no keys, no fighting for cores, and no network, as in a job.

    A worker takes its environment from ours at the moment it starts, which may be at any time.
    """
    before = dict(os.environ)
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    _replace_environment({**inherited(before, PYTHON, SLURM), **pinned, "HF_HUB_OFFLINE": "1"})
    try:
        yield
    finally:
        _replace_environment(before)


def _replace_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def _fetch_models(jobs: Sequence[Job]) -> None:
    """Download what workers, which have no key of the hub's, will train and sample. Raises HubUnreachable."""
    for one in required_sources([job.cell for job in jobs]):
        if one.kind == "model" and one.source.hub:
            fetch(one)
