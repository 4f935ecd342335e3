"""Where every cell of a study stands. Records on disk come first, then the queue, then accounting; absence proves nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from ablation.config.cluster import JobPart
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm import history
from ablation.jobs.slurm.held_arrays import why_held
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission, SubmittedTask, latest_tasks
from ablation.jobs.status.error_kinds import class_of_message
from ablation.jobs.status.filters import read_filters
from ablation.jobs.status.local_run import cells_at_work, is_running_locally
from ablation.jobs.status.task_state import SlurmAnswer, State, TaskState, derive_task_state
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import StageName
from ablation.store.store import Store
from ablation.study.manifest import noted_failures, read_errors

# The kind of a missing cell that the next wave submits.
WAITS_FOR_ROOM = "waits_for_room"


@dataclass(frozen=True)
class CellStatus:
    """One cell's state; `detail` is the error, the reason for waiting, or what accounting says.

    A failure has its class in `kind`, and so has a cell that waits for room. `job` is the task in charge, `stage` its part of the
    cell, `host` where it ran last.
    """

    name: str
    state: State
    detail: str | None = None
    kind: str | None = None
    job: str | None = None
    stage: JobPart | None = None
    host: str | None = None


def select_cells(cells: Sequence[Cell], filters: Sequence[str]) -> list[Cell]:
    """The cells that match every filter on what they are. Raises UnknownFilter."""
    return read_filters(filters, cells, get_args(State)).cells(cells)


def selected_states(
    cells: Sequence[Cell], filters: Sequence[str], store: Store, study: Path
) -> tuple[list[Cell], list[CellStatus]]:
    """The cells that match every filter, ``state=…`` included, and the state of each. Raises UnknownFilter."""
    wanted = read_filters(filters, cells, get_args(State))
    chosen = wanted.cells(cells)
    states = cell_states(chosen, store, study)
    passing = [(cell, one) for cell, one in zip(chosen, states, strict=True) if wanted.has_state(one.state)]
    return [cell for cell, _ in passing], [one for _, one in passing]


def cell_states(cells: Sequence[Cell], store: Store, study: Path) -> list[CellStatus]:
    """The state of each cell, in order. Slurm is asked once, and only when something was submitted and is not done."""
    survey = Survey(cells, store, study)
    return [survey.state(cell) for cell in cells]


class Survey:
    """Everything that the states of cells are read from, asked once. `submissions` are those of the ledger where none are given.

    Slurm that does not answer makes states unknown, and raises nothing.
    """

    def __init__(
        self, cells: Sequence[Cell], store: Store, study: Path, submissions: Sequence[Submission] | None = None
    ) -> None:
        self.store, self.jobs, self.logs = store, study / "jobs", study / "logs"
        graded = store.complete_folders(StageName.GRADE)
        self.done = {cell.name for cell in cells if cell.folders["grade"] in graded}
        ledger = Ledger(study / LEDGER)
        self.submissions = {one.name: one for one in (ledger.submissions() if submissions is None else submissions)}
        self.places = latest_tasks(list(self.submissions.values()))
        self.waiting, self.errors = ledger.waiting(), read_errors(study)
        rest = [cell for cell in cells if cell.name not in self.done and cell.name not in self.places]
        self.is_local = bool(rest) and is_running_locally(study)
        self.in_hand = cells_at_work(rest, store) if self.is_local else set()
        self.noted = noted_failures(study) if self.is_local else {}
        asked = [
            place for cell in cells if cell.name not in self.done for place in self.places.get(cell.name, {}).values()
        ]
        canaries = [place for one in {place.submission.gate for place in asked} for place in self._canary(one)]
        self.seen = _look({place.job: place.submission.name for place in (*asked, *canaries)})
        self._why_held = cache(lambda submission: why_held(self.jobs, submission))
        self._why_stuck = cache(self._failed_canary)

    def state(self, cell: Cell) -> CellStatus:
        """Where one cell stands."""
        name, parts = cell.name, self.places.get(cell.name)
        if name in self.done:
            return CellStatus(name, "done")
        if parts:
            place = parts[self._part_in_charge(cell, parts)]
            found = self._verdict(name, place)
            if found.state in ("failed", "lost") and self.store.is_complete(cell.outcome):
                return CellStatus(name, "done")  # published since the store was listed
            return CellStatus(
                name, found.state, found.detail, found.kind, place.job, place.submission.stage, found.host
            )
        if name in self.waiting:
            return CellStatus(name, "missing", f"waits for room in the queue: {self.waiting[name]}", WAITS_FOR_ROOM)
        if name in self.in_hand:
            return CellStatus(name, "running")
        error = (self.noted if self.is_local else self.errors).get(name)
        if self.is_local and not error:
            return CellStatus(name, "queued", "waits for a worker of the launch command")
        return CellStatus(name, "failed" if error else "missing", error, class_of_message(error) if error else None)

    def is_blocked(self, cell: Cell) -> bool:
        """True when what is left of the cell in the queue waits for a canary that failed, or in an array that is held."""
        return any(
            not self._has_begun(place)
            and bool(self._why_stuck(place.submission.gate) or self._why_held(place.submission.name))
            for place in self.places.get(cell.name, {}).values()
        )

    def _part_in_charge(self, cell: Cell, parts: Mapping[JobPart, SubmittedTask]) -> JobPart:
        """The training until its weights are there: its failure is the cause of what becomes of the evaluation."""
        if "train" not in parts or "evaluate" not in parts:
            return next(iter(parts))
        return "evaluate" if self.store.is_complete(cell.folders["train"]) else "train"

    def _verdict(self, cell: str, place: SubmittedTask) -> TaskState:
        stuck = self._why_stuck(place.submission.gate)
        if stuck and not self._has_begun(place):
            return TaskState("held", stuck)
        return derive_task_state(
            place, history.read(self.jobs, cell), self.seen, self._why_held(place.submission.name), self.logs
        )

    def _has_begun(self, place: SubmittedTask) -> bool:
        queued = self.seen.queue.get(place.job) if self.seen.queue is not None else None
        if queued and queued.state != "PENDING":
            return True
        index = int(place.job.rpartition("_")[2])
        cells = place.submission.tasks[index]
        return any(event.job == place.job for cell in cells for event in history.read(self.jobs, cell))

    def _canary(self, gate: str | None) -> list[SubmittedTask]:
        """The tasks of a canary, its training first; none without one."""
        last = self.submissions.get(gate or "")
        parts = [self.submissions.get(last.after or ""), last] if last else []
        return [SubmittedTask(f"{part.job}_0", part) for part in parts if part and part.job]

    def _failed_canary(self, gate: str | None) -> str | None:
        """Why an array waits in vain for its canary; None while it may come yet."""
        for place in self._canary(gate):
            for cell in place.submission.tasks[0]:
                events = history.read(self.jobs, cell)
                if any(event.job == place.job and event.is_complete for event in events):
                    continue
                found = derive_task_state(place, events, self.seen, None, self.logs)
                if found.state in ("failed", "lost"):
                    first_line = (found.detail or found.state).splitlines()[0]
                    return f"the canary {cell} failed: {first_line}; correct it, then launch again"
        return None


def _look(tasks: Mapping[str, str]) -> SlurmAnswer:
    """What Slurm says of these tasks, by the names of their arrays; it is asked only when there are any."""
    try:
        queue = slurm.queued_tasks(tasks) if tasks else {}
    except slurm.SlurmUnreachable:
        return SlurmAnswer(None)
    return SlurmAnswer(queue, slurm.accounted_tasks({task: name for task, name in tasks.items() if task not in queue}))
