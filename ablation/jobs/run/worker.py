"""Run one task of an array on a compute node: ``python -m ablation.jobs.run.worker --tasks FILE``.

The array index says which task; its cells run one after another in this process, and each fails alone.
"""

if __name__ == "__main__":  # a signal while the rest is imported would end the process without a word
    from ablation.store.interrupt import StopRequest

    _STARTED = StopRequest()
    _STARTED.listen_to_signals()

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ablation.errors import AblationError, RecordError
from ablation.jobs.run.job import JobResult, quiet_libraries, run_job
from ablation.jobs.run.job_file import TaskList, read_job
from ablation.jobs.run.slurm_task import SlurmTask, export_world_variables
from ablation.jobs.slurm import held_arrays as held
from ablation.jobs.slurm import history
from ablation.jobs.slurm.history import Event
from ablation.jobs.status.error_kinds import RETRYABLE
from ablation.log_handler import logging_to_stdout
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.study.provenance import package_versions, version_differences
from ablation.training.distributed import ProcessGroup

# By its full name: this module runs as __main__.
_log = logging.getLogger("ablation.jobs.run.worker")
COMPLETE, FAILED, UNREADABLE, INTERRUPTED, HELD = 0, 1, 2, 85, 86
# Slurm's notice before the time limit comes up to a minute early, on top of the 90 s that we ask for.
_NOTICE_S = 180


def main(arguments: Sequence[str] | None = None, asked: StopRequest | None = None) -> int:
    """Exit code 0 when every cell is complete, 1 when one failed, 2 when one could not be read, 85 interrupted, 86 held.

    `asked` hears signals already; without it they are heard from here on.
    """
    parser = argparse.ArgumentParser(prog="python -m ablation.jobs.run.worker", description=__doc__)
    parser.add_argument("--tasks", type=Path, required=True, help="the file with the tasks of an array")
    parser.add_argument("--index", type=int, default=None, help="task to run; default: SLURM_ARRAY_TASK_ID")
    given = parser.parse_args(arguments)
    if asked is None:
        asked = StopRequest()
        asked.listen_to_signals()
    with logging_to_stdout():
        try:
            order, here = TaskList.read(given.tasks), SlurmTask.of(os.environ, given.index)
            return ArrayTask(order, here, given.tasks.parent, asked).run()
        except (RecordError, OSError, ValueError, IndexError) as error:
            _log.error("cannot run %s: %s", given.tasks, error)
            return UNREADABLE


class ArrayTask:
    """One task of an order, at `here`; `jobs` is the folder of its records."""

    def __init__(self, order: TaskList, here: SlurmTask, jobs: Path, asked: StopRequest) -> None:
        self.order, self.here, self.jobs, self.asked = order, here, jobs, asked
        self.began = time.monotonic()

    def run(self) -> int:
        """The exit code. Raises IndexError when the order has no such task."""
        paths = self.order.tasks[self.here.index]
        why = held.why_held(self.jobs, self.order.name)
        if why:
            _log.warning("held: %s", why)
            if self.here.rank == 0:
                for path in paths:
                    self._record(Path(path).stem, Event("ended", *self._who(), kind="held", error=why))
            return HELD
        export_world_variables()
        quiet_libraries()
        if self.here.rank:
            return self._take_part()
        world = ProcessGroup.here()
        world.begin()
        try:
            return max((COMPLETE, *self._run_cells([Path(path) for path in paths])))
        finally:
            world.dismiss()

    def _run_cells(self, paths: Sequence[Path]) -> Iterator[int]:
        """The code of each cell; none is begun once a signal has come."""
        for path in paths:
            code = self._run_cell(path) if self.asked.reason is None else INTERRUPTED
            yield code
            if code == INTERRUPTED and self.asked.reason:
                self._stop(path.stem)
                return

    def _take_part(self) -> int:
        """As another process than the first of the world: train with it, and leave records and other stages to it."""
        from ablation.training.train import follow

        try:
            follow(self.asked)
        except AblationError as error:
            _log.error("%s", error)
            return FAILED
        return INTERRUPTED if self.asked.reason else COMPLETE

    def _run_cell(self, path: Path) -> int:
        try:
            job, origin = read_job(path)
        except RecordError as error:
            _log.error("%s", error)
            self._record(path.stem, Event("ended", *self._who(), kind="record_error", error=str(error)))
            self._hold_when_all_fail()
            return UNREADABLE
        if self._has_failed_for_good(job.name):
            _log.warning("%s: has failed in this task already, and would fail again", job.name)
            return FAILED
        notes = tuple(version_differences(origin.versions, package_versions()))
        for note in notes:
            _log.warning("%s: %s", job.name, note)
        self._record(job.name, Event("began", *self._who()))
        halt, last = StopRequest(), "train" if self.order.stage == "train" else "grade"
        try:
            with halt.listening_to_signals():
                outcome = run_job(job, lambda stage: _log.info("%s: %s", job.name, stage), halt, last=last)
        except Interrupted as stopped:
            _log.info("%s: %s", job.name, stopped)
            return INTERRUPTED
        return self._end(outcome, notes)

    def _has_failed_for_good(self, cell: str) -> bool:
        """True after a failure under an earlier start of this task which the same input would meet again."""
        ends = [one for one in history.read(self.jobs, cell) if one.job == self.here.job and one.is_failure]
        return bool(ends) and ends[-1].kind not in RETRYABLE

    def _end(self, outcome: JobResult, notes: tuple[str, ...]) -> int:
        told = Event("ended", *self._who(), outcome.kind, outcome.error, outcome.seconds, outcome.ran, notes)
        self._record(outcome.name, told)
        _log.info("%s: %s", outcome.name, outcome.error or "complete")
        if outcome.error:
            self._hold_when_all_fail()
        return FAILED if outcome.error else COMPLETE

    def _stop(self, cell: str) -> None:
        """Asked to stop by a signal: what was kept is on disk; see to it that the task goes on with this cell."""
        name, seconds = str(self.asked.reason), time.monotonic() - self.began

        def told(kind: str, error: str) -> None:
            _log.info("%s: %s", cell, error)
            self._record(cell, Event("ended", *self._who(), kind, error, seconds))

        at_limit = seconds > self.order.timeout_min * 60 - _NOTICE_S
        if self.here.restart >= self.order.requeues and name != "SIGTERM":
            said = f"stopped by {name} after {self.here.restart} restarts, and cluster.requeues allows no more"
            told("timeout" if at_limit else "preempted", said)
            return
        told("interrupted", f"stopped by {name}")
        if name == "SIGTERM":  # Slurm ends the job, and starts it again where it means to
            return
        refusal = self.here.requeue()
        if refusal:
            told("timeout" if at_limit else "preempted", f"stopped by {name}, and Slurm did not requeue it: {refusal}")

    def _hold_when_all_fail(self) -> None:
        cells = [Path(path).stem for task in self.order.tasks for path in task]
        array = self.here.job.partition("_")[0]
        why = held.reason_to_hold(held.recorded_ends(self.jobs, cells, array), self.order.hold_after)
        if why:
            _log.warning("the rest is held: %s", why)
            held.hold(self.jobs, self.order.name, why)
            self.here.hold_array()

    def _record(self, cell: str, event: Event) -> None:
        try:
            history.record(self.jobs, cell, event)
        except OSError as error:  # the disk may be full; Slurm's log says it then
            _log.error("%s: could not record: %s (%s)", cell, event, error)

    def _who(self) -> tuple[str, int, str, str]:
        return self.here.job, self.here.restart, self.order.stage, self.here.host


if __name__ == "__main__":
    sys.exit(main(asked=_STARTED))
