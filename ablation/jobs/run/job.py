"""One job: a cell and where to run it. The function every kind of cluster runs."""

import contextlib
import errno
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablation.config.cluster import RuntimeOptions
from ablation.config.execution import Keep
from ablation.errors import AblationError, ConfigProblems, RecordError
from ablation.jobs.run.pipeline import OnStage, ignore_stage, run_cell
from ablation.jobs.status.error_kinds import class_of
from ablation.libraries import hide_sklearn_from_transformers, timed_imports
from ablation.log_handler import logging_to_stdout
from ablation.specs.cell import Cell
from ablation.store.files import explain_os_error, is_about_the_disk
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.store.store import Store
from ablation.study.plan import Plan

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A cell with its execution: nothing here can change a number, except that threads may change the last bits of sums.

    What of the weights `keep` does not name goes when the cell is graded, unless another cell of the outputs waits for them.
    """

    cell: Cell
    name: str
    store_root: Path
    log: Path
    threads: int
    options: RuntimeOptions
    keep: Keep = "weights"


@dataclass(frozen=True)
class JobResult:
    """How a job ended. `error` is None exactly when every stage of the cell is complete; `ran` are the stages that had work.

    `kind` is the class of the error, which decides whether trying again can help (ablation/jobs/status/error_kinds.py).
    """

    name: str
    error: str | None
    seconds: float
    ran: tuple[str, ...]
    kind: str | None = None


def print_trace(error: Exception) -> None:
    """What is done with an unforeseen error beside recording it: its trace goes to the log."""
    traceback.print_exception(error)


def run_job(
    job: Job,
    on_stage: OnStage = ignore_stage,
    halt: StopRequest | None = None,
    on_crash: Callable[[Exception], None] = print_trace,
    last: str = "grade",
) -> JobResult:
    """Run the job's cell up to its stage `last`. Raises Interrupted alone: a cell fails alone.

    `on_crash` hears of what nobody foresaw.
    """
    started, ran = time.monotonic(), []
    error, kind = None, None

    def heard(stage: str) -> None:
        ran.append(stage)
        on_stage(stage)

    try:
        _limit_threads(job.threads)
        run_cell(job.cell, Store(job.store_root), job.options, heard, last, halt)
        if job.keep != "weights" and last == "grade":
            _drop_weights(job)
    except Interrupted:
        raise
    except AblationError as known:
        error, kind = "; ".join(known.problems) if isinstance(known, ConfigProblems) else str(known), class_of(known)
    except Exception as unknown:  # noqa: BLE001 whatever broke, this cell fails alone
        on_crash(unknown)
        error, kind = error_in_words(unknown, job.store_root), class_of(unknown)
    return JobResult(job.name, error, time.monotonic() - started, tuple(ran), kind)


def _drop_weights(job: Job) -> None:
    """A study that cannot be read may wait for them: then they stay, and `ablation clean --weights` can drop them later."""
    from ablation.study.retention import drop_weights, droppable_weights

    try:
        for one in droppable_weights([job.cell], Store(job.store_root), job.store_root.parent, job.keep):
            drop_weights(one)
            _log.info("%s: dropped %s (keep=%s)", job.name, one.path, job.keep)
    except RecordError as problem:
        _log.warning("%s: %s", job.name, problem)


def error_in_words(error: Exception, folder: Path) -> str:
    """The error as a sentence. Native writers tell of a full disk in exceptions of their own, by Linux's words for it."""
    if isinstance(error, OSError) and is_about_the_disk(error):
        return explain_os_error(error, folder)
    if os.strerror(errno.ENOSPC) in str(error):
        return explain_os_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), folder)
    return f"{type(error).__name__}: {error}"


def run_logged_job(job: Job) -> JobResult:
    """`run_job` in a worker process of its own: what it and its libraries print goes to the job's log.

    A worker that is told to end leaves off where the next one can go on.
    """
    quiet_libraries()
    halt = StopRequest()
    with _output_to(job.log), logging_to_stdout(), halt.listening_to_signals():
        return run_job(job, halt=halt)


def _limit_threads(threads: int) -> None:
    with timed_imports():
        import torch

    torch.set_num_threads(threads)


def quiet_libraries() -> None:
    """Progress bars and advice of the libraries are noise beside ours; warnings go to the job's log."""
    os.environ.update(
        TRANSFORMERS_VERBOSITY="error", HF_DATASETS_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false"
    )
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with timed_imports():
        hide_sklearn_from_transformers()
        from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Redirect the process's standard output and error, native code included, by file descriptor."""
    sys.stdout.flush(), sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as stream, warnings.catch_warnings():
        os.dup2(stream.fileno(), 1), os.dup2(stream.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            for number, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)


def jobs_of(plan: Plan, cells: Sequence[Cell]) -> list[Job]:
    """One job for each cell, in order."""
    cluster, logs = plan.execution.cluster, plan.folder / "logs"
    keeps_base = cluster.keeps_base(len(cells))
    return [
        Job(
            cell,
            cell.name,
            plan.store.root,
            logs / f"{cell.name}.log",
            cluster.threads_per_worker,
            replace(cluster.options_for(cell.model.name), keeps_base=keeps_base),
            plan.execution.keep,
        )
        for cell in cells
    ]
