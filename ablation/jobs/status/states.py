"""The state of every cell of a study. Records on disk come first, then the queue, then accounting; absence proves nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ablation.config.cluster import JobPart
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm import history
from ablation.jobs.slurm.held_arrays import why_held
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission, SubmittedTask, latest_tasks
from ablation.jobs.status.error_kinds import class_of_message
from ablation.jobs.status.filters import read_filters
from ablation.jobs.status.local_run import cells_at_work, is_running_locally
from ablation.jobs.status.task_state import WILL_NEVER_START, SlurmAnswer, TaskState, derive_task_state
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState, StageName
from ablation.store.store import Store
from ablation.study.manifest import noted_failures, read_errors

# The kind of a missing cell that the next submission takes.
WAITS_FOR_ROOM = "waits_for_room"


@dataclass(frozen=True)
class CellStatus:
    """The state of one cell, with its reason."""

    name: str
    state: CellState
    detail: str | None = None
    """The error, the reason for waiting, or what accounting says."""
    kind: str | None = None
    """The class of a failure, or WAITS_FOR_ROOM."""
    job: str | None = None
    """The task in charge, as Slurm's ``JOB_INDEX``; None where the cell was not submitted."""
    stage: JobPart | None = None
    """The part of the cell that the task runs."""
    host: str | None = None
    """The node on which the cell ran last."""

    @property
    def needs_attention(self) -> bool:
        """True when nothing will become of the cell unless a person acts, or when its state cannot be told."""
        is_stuck = self.state in (CellState.HELD, CellState.UNKNOWN)
        return is_stuck or self.state.is_failure or (self.detail or "").startswith(WILL_NEVER_START)


def select_cells(cells: Sequence[Cell], filters: Sequence[str]) -> list[Cell]:
    """Return the cells that match every filter on what they are. Raises UnknownFilter."""
    return read_filters(filters, cells, list(CellState)).cells(cells)


def selected_states(
    cells: Sequence[Cell], filters: Sequence[str], store: Store, study: Path
) -> tuple[list[Cell], list[CellStatus]]:
    """Return the cells that match every filter, ``state=…`` included, and the state of each. Raises UnknownFilter."""
    conditions = read_filters(filters, cells, list(CellState))
    candidates = conditions.cells(cells)
    states = cell_states(candidates, store, study)
    matching = [
        (cell, status) for cell, status in zip(candidates, states, strict=True) if conditions.has_state(status.state)
    ]
    return [cell for cell, _ in matching], [status for _, status in matching]


def cell_states(cells: Sequence[Cell], store: Store, study: Path) -> list[CellStatus]:
    """Return the state of each cell, in order. Slurm is asked once, and only when something was submitted and is not done."""
    survey = Survey(cells, store, study)
    return [survey.state(cell) for cell in cells]


class Survey:
    """Everything from which the states of cells are read, asked once for all of them.

    `submissions` replace those of the study's ledger, as for a submitter that has looked up what Slurm took. When Slurm does not
    answer, states are unknown; nothing is raised.
    """

    def __init__(
        self, cells: Sequence[Cell], store: Store, study: Path, submissions: Sequence[Submission] | None = None
    ) -> None:
        self.store, self.jobs, self.logs = store, study / "jobs", study / "logs"
        graded = store.complete_folders(StageName.GRADE)
        self.done = {cell.name for cell in cells if cell.folders[StageName.GRADE] in graded}
        ledger = Ledger(study / LEDGER)
        listed = ledger.submissions() if submissions is None else submissions
        self.submissions = {submission.name: submission for submission in listed}
        self.tasks = latest_tasks(list(self.submissions.values()))
        self.waiting, self.errors = ledger.waiting(), read_errors(study)
        # A launch on this machine leaves no tasks. It is looked for only where it could explain a cell.
        unsubmitted = [cell for cell in cells if cell.name not in self.done and cell.name not in self.tasks]
        self.is_local = bool(unsubmitted) and is_running_locally(study)
        self.at_work = cells_at_work(unsubmitted, store) if self.is_local else set()
        self.noted = noted_failures(study) if self.is_local else {}
        open_cells = [cell for cell in cells if cell.name not in self.done]
        tasks = [task for cell in open_cells for task in self.tasks.get(cell.name, {}).values()]
        # A canary's cell may be done, or not be asked about; its failure decides on those that wait for it.
        canaries = [task for gate in {task.submission.gate for task in tasks} for task in self._canary_tasks(gate)]
        self.answer = _ask_slurm({task.job: task.submission.name for task in (*tasks, *canaries)})
        # Many cells share an array, and each answer reads files.
        self._hold_reason = cache(lambda submission: why_held(self.jobs, submission))
        self._canary_failure = cache(self._find_canary_failure)

    def state(self, cell: Cell) -> CellStatus:
        """Return the state of one cell.

        What is in the store is done, whatever else is known. A submitted cell has the state of its task in charge. One that was
        not submitted waits for room, or is a matter of a launch on this machine, or is missing.
        """
        parts = self.tasks.get(cell.name)
        if cell.name in self.done:
            return CellStatus(cell.name, CellState.DONE)
        return self._submitted(cell, parts) if parts else self._not_submitted(cell)

    def _submitted(self, cell: Cell, parts: Mapping[JobPart, SubmittedTask]) -> CellStatus:
        task = parts[self._part_in_charge(cell, parts)]
        status = self._task_state(cell.name, task)
        if status.state.is_failure and self.store.is_complete(cell.outcome):
            return CellStatus(cell.name, CellState.DONE)  # published since the store was listed
        return CellStatus(
            cell.name, status.state, status.detail, status.kind, task.job, task.submission.stage, status.host
        )

    def _not_submitted(self, cell: Cell) -> CellStatus:
        name = cell.name
        if name in self.waiting:
            detail = f"waits for room in the queue: {self.waiting[name]}"
            return CellStatus(name, CellState.MISSING, detail, WAITS_FOR_ROOM)
        if name in self.at_work:
            return CellStatus(name, CellState.RUNNING)
        # While a launch runs here, the errors of the last tables are of an earlier one: these cells are tried again now.
        error = (self.noted if self.is_local else self.errors).get(name)
        if error:
            return CellStatus(name, CellState.FAILED, error, class_of_message(error))
        if self.is_local:
            return CellStatus(name, CellState.QUEUED, "waits for a worker of the launch command")
        return CellStatus(name, CellState.MISSING)

    def is_blocked(self, cell: Cell) -> bool:
        """Return True when a task of the cell waits in vain: its canary failed, or its array is held."""
        return any(
            not self._has_begun(task)
            and bool(self._canary_failure(task.submission.gate) or self._hold_reason(task.submission.name))
            for task in self.tasks.get(cell.name, {}).values()
        )

    def _part_in_charge(self, cell: Cell, parts: Mapping[JobPart, SubmittedTask]) -> JobPart:
        """Return the training until its weights are there: its failure is the cause of what becomes of the evaluation."""
        if "train" not in parts or "evaluate" not in parts:
            return next(iter(parts))
        return "evaluate" if self.store.is_complete(cell.folders[StageName.TRAIN]) else "train"

    def _task_state(self, cell: str, task: SubmittedTask) -> TaskState:
        failure = self._canary_failure(task.submission.gate)
        # Slurm itself says DependencyNeverSatisfied, but not why. Of a task that has begun the canary cannot have failed.
        if failure and not self._has_begun(task):
            return TaskState(CellState.HELD, failure)
        events, hold_reason = history.read(self.jobs, cell), self._hold_reason(task.submission.name)
        return derive_task_state(task, events, self.answer, hold_reason, self.logs)

    def _has_begun(self, task: SubmittedTask) -> bool:
        queued = self.answer.queue.get(task.job) if self.answer.queue is not None else None
        if queued and queued.state != "PENDING":
            return True
        index = int(task.job.rpartition("_")[2])
        # Any cell of the task: they run one after another, and the first may be the only one with a record.
        cells = task.submission.tasks[index]
        return any(event.job == task.job for cell in cells for event in history.read(self.jobs, cell))

    def _canary_tasks(self, gate: str | None) -> list[SubmittedTask]:
        """Return the tasks of the canary whose array has this name, its training first; none without a canary."""
        last = self.submissions.get(gate or "")
        parts = [self.submissions.get(last.after or ""), last] if last else []
        return [SubmittedTask(f"{part.job}_0", part) for part in parts if part and part.job]

    def _find_canary_failure(self, gate: str | None) -> str | None:
        """Return a line that says why an array waits in vain for its canary; None while it may begin yet."""
        for task in self._canary_tasks(gate):
            for cell in task.submission.tasks[0]:
                events = history.read(self.jobs, cell)
                if any(event.job == task.job and event.is_complete for event in events):
                    continue
                status = derive_task_state(task, events, self.answer, None, self.logs)
                if status.state.is_failure:
                    first_line = (status.detail or status.state).splitlines()[0]
                    return f"the canary {cell} failed: {first_line}; correct it, then launch again"
        return None


def _ask_slurm(tasks: Mapping[str, str]) -> SlurmAnswer:
    """Ask about these tasks, given the names of their arrays; without tasks Slurm is not asked.

    Accounting is asked only for what has left the queue.
    """
    try:
        queue = slurm.queued_tasks(tasks) if tasks else {}
    except slurm.SlurmUnreachable:
        return SlurmAnswer(None)
    gone = {task: name for task, name in tasks.items() if task not in queue}
    return SlurmAnswer(queue, slurm.accounted_tasks(gone))
