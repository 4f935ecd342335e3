"""Hand the missing cells of a study to Slurm, each exactly once, as far as there is room, and return."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ablation.config.cluster import Slurm
from ablation.errors import ConfigProblems, RecordError
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, TaskList, write_job
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.jobs.submit.arrays import Array, array_files, sbatch_text
from ablation.jobs.submit.code_copy import copy_code
from ablation.jobs.submit.retry import Retry
from ablation.jobs.submit.submission_plan import SubmissionPlan, plan_submission
from ablation.store.interrupt import Backoff, StopRequest
from ablation.store.lease import Lease, LeaseWatcher
from ablation.store.store import Store

_FLUSHES_AT_ONCE = 8


@dataclass(frozen=True)
class SubmitResult:
    """`taken` was submitted now; `queued` cells were in the queue already; `waiting` cells wait for room, as `why` says."""

    taken: tuple[Submission, ...]
    queued: int
    waiting: tuple[str, ...] = ()
    why: str = ""

    @property
    def cells(self) -> int:
        """How many cells were submitted now."""
        return len({cell for one in self.taken for cell in one.cells})


def submit_missing(
    jobs: Sequence[Job],
    cluster: Slurm,
    study: Path,
    retries: Sequence[Retry] = (),
    on_begin: Callable[[], None] = lambda: None,
) -> SubmitResult:
    """Submit every job that is not in the queue yet, as many as fit.

    `retries` say with which changed resources a cell is tried again. `on_begin` is called once, by the only submitter, as soon as
    Slurm would take the first array. Raises RecordError when another process submits for this study, ConfigProblems when Slurm
    refuses, SlurmUnreachable.
    """
    if not jobs:
        return SubmitResult((), 0)
    with only_submitter(study) as lease:
        return _Submitter(jobs, cluster, study, {one.cell: one for one in retries}, lease, on_begin).run()


def submit_waiting(jobs: Sequence[Job], cluster: Slurm, study: Path) -> SubmitResult:
    """`submit_missing` for those of these jobs that still wait for room in the queue when nobody else submits."""
    with only_submitter(study) as lease:
        waiting = Ledger(study / LEDGER).waiting()
        wanted = [job for job in jobs if job.name in waiting]
        return _Submitter(wanted, cluster, study, {}, lease).run() if wanted else SubmitResult((), 0)


def withdraw_waiting(study: Path, cells: Sequence[str]) -> list[str]:
    """Let these cells wait for room no longer; those that did. Raises RecordError when another process submits."""
    ledger = Ledger(study / LEDGER)
    if not ledger.waiting().keys() & set(cells):
        return []
    with only_submitter(study):
        waiting = ledger.waiting()
        gone = [name for name in cells if name in waiting]
        ledger.postpone([name for name in waiting if name not in gone], next(iter(waiting.values()), ""))
    return gone


class _Submitter:
    """One submission of a study: who is to go, how many fit, and then array by array."""

    def __init__(
        self,
        jobs: Sequence[Job],
        cluster: Slurm,
        study: Path,
        retries: Mapping[str, Retry],
        lease: Lease,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.jobs, self.on_begin, self.has_begun = {job.name: job for job in jobs}, on_begin, False
        self.cluster, self.study, self.retries, self.lease = cluster, study, retries, lease
        self.ledger, self.origin = Ledger(study / LEDGER), Provenance.here()
        self.store = Store(jobs[0].store_root)
        self.ids: dict[str, str] = {}
        self.frozen: dict[str, Path] = {}
        self.code: Path | None = None

    def run(self) -> SubmitResult:
        """Submit what fits."""
        submissions, waiting = self.ledger.adopt(slurm.find_job), self.ledger.waiting()
        cells = [job.cell for job in self.jobs.values()]
        wave = plan_submission(cells, self.cluster, self.study, self.store, submissions, self.retries)
        slurm.cancel(wave.in_vain)
        self.ids = dict(wave.ids)
        taken, why = self._submit_all(wave)
        self._begin()  # also where everything is in the queue already
        gone = {cell for one in taken if one.stage != "train" for cell in one.cells}
        left = tuple(cell.name for cell in wave.todo if cell.name not in gone)
        others = [name for name in waiting if name not in self.jobs]
        if left or len(others) < len(waiting):
            self.ledger.postpone([*others, *left], why if left else next(iter(waiting.values())))
        return SubmitResult(tuple(taken), len(self.jobs) - len(wave.todo), left, why if left else "")

    def _submit_all(self, wave: SubmissionPlan) -> tuple[list[Submission], str]:
        taken: list[Submission] = []
        for array in wave.arrays:
            try:
                taken.append(self._submit(array))
            except slurm.NoRoom as full:
                return taken, str(full)
        return taken, wave.why

    def _begin(self) -> None:
        if not self.has_begun:
            self.on_begin()
        self.has_begun = True

    def _submit(self, array: Array) -> Submission:
        told = [] if array.after else [self.retries.get(cell) for task in array.cells for cell in task]
        kinds = {retry.cell: retry.kind for retry in told if retry}
        one = Submission(
            array.name, array.cells, None, array.stage, array.after, array.gate, kinds, array.resources.mem_gb
        )
        script = self._write(array)
        slurm.test_only(script)
        if not self.lease.is_held():
            raise RecordError(f"another process has begun to submit for {self.study}; run again to see what it left")
        self._begin()
        self.ledger.intend(one)
        self.ids[one.name] = job = self._handed_over(one.name, script)
        self.ledger.confirm(one.name, job)
        return replace(one, job=job)

    def _handed_over(self, name: str, script: Path) -> str:
        """The id under which Slurm has the array, also when its reply was lost."""
        job = slurm.find_job(name)
        if job:
            return job
        try:
            return slurm.submit(script)
        except (slurm.NoRoom, slurm.SlurmUnreachable, ConfigProblems) as problem:
            job = slurm.find_job(name)
            if job is None:
                if not isinstance(problem, slurm.SlurmUnreachable):
                    self.ledger.withdraw(name)
                raise
            return job

    def _write(self, array: Array) -> Path:
        """Freeze the cells, and write the order and the sbatch file of their array; the file's path."""
        self.code = self.code or copy_code(self.study / "code")
        files = array_files(self.study, array.name, self.code)
        for folder in (files.tasks.parent, files.logs):
            folder.mkdir(parents=True, exist_ok=True)
        # Each file is flushed, and several at a time wait for the disk together: 1,029 take one second instead of seven.
        with ThreadPoolExecutor(_FLUSHES_AT_ONCE) as pool:
            cells = [cell for task in array.cells for cell in task]
            frozen = dict(zip(cells, pool.map(lambda cell: self._frozen(cell, files.tasks.parent), cells), strict=True))
        tasks = tuple(tuple(str(frozen[cell]) for cell in task) for task in array.cells)
        asked, cluster = array.resources, self.cluster
        order = TaskList(array.name, array.stage, tasks, asked.timeout_min, cluster.requeues, cluster.hold_after)
        order.write(files.tasks)
        script = files.tasks.with_name(f"{array.name}.sbatch")
        script.write_text(sbatch_text(array, cluster, files, self.ids))
        return script

    def _frozen(self, cell: str, folder: Path) -> Path:
        if cell not in self.frozen:
            self.frozen[cell] = write_job(self.jobs[cell], folder, self.origin)
        return self.frozen[cell]


@contextmanager
def only_submitter(study: Path) -> Iterator[Lease]:
    """One submitter a study, on all machines. Raises RecordError while another one lives.

    One on another machine cannot be proved dead: this waits until it has finished, or has been silent for long enough.
    """
    halt = StopRequest()
    watcher, pause = LeaseWatcher(study / ".submitting"), Backoff(halt)
    while (lease := watcher.take()) is None:
        other = watcher.holder()
        if other and other.is_gone(watcher.me) is False:
            who = f"process {other.pid} on {other.machine.split()[0]}"
            raise RecordError(f"{who} is submitting for {study}; wait for it, then run again")
        pause.wait(f"waiting for another process that submits for {study}")
    try:
        with lease.beating(halt):
            yield lease
    finally:
        lease.release()
