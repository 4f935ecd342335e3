"""The actions on a study's cells on Slurm: cancel, hold, release, try again; and those that a watcher takes by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ablation.config.cluster import Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.run.job import jobs_of
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm import history
from ablation.jobs.slurm.held_arrays import ends_at_release, mark_released, reason_to_hold, why_held
from ablation.jobs.slurm.held_arrays import hold as hold_array
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission, SubmittedTask, latest_tasks
from ablation.jobs.status.states import CellStatus, cell_states
from ablation.jobs.submit.retry import Retry, due_retries
from ablation.jobs.submit.submitter import SubmitResult, submit_missing, submit_waiting, withdraw_waiting
from ablation.specs.vocabulary import CellState
from ablation.study.plan import Plan


def cancel(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """Cancel the tasks of these cells, and withdraw those that wait for room in the queue. Return their names.

    Cells that share a task go together. Raises SlurmUnreachable, and RecordError while another process submits.
    """
    withdrawn = withdraw_waiting(plan.folder, [status.name for status in states])
    for name, tasks in _in_queue(plan, states, "PENDING").items():
        for task in tasks:
            _record_cancelled(plan.folder / "jobs", name, task)
    tasks_by_cell = _in_queue(plan, states)
    slurm.cancel(_task_ids(tasks_by_cell))
    return list(dict.fromkeys([*tasks_by_cell, *withdrawn]))


def _record_cancelled(jobs: Path, cell: str, task: SubmittedTask) -> None:
    """Record the end of a task that has not begun, on behalf of its worker.

    Without accounting such a task leaves the queue without a trace, and a watcher would take it for lost. A running task gets
    Slurm's signal and records its end itself.
    """
    restart = max((event.restart for event in history.read(jobs, cell) if event.job == task.job), default=0)
    end = Event("ended", task.job, restart, task.submission.stage, "", "cancelled", "cancelled by `ablation cancel`")
    history.record(jobs, cell, end)


def hold(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """Keep the tasks of these cells that have not begun from starting. Return the cells' names. Raises SlurmUnreachable."""
    tasks_by_cell = _in_queue(plan, states, "PENDING")
    slurm.hold(_task_ids(tasks_by_cell))
    return list(tasks_by_cell)


def release(plan: Plan, states: Sequence[CellStatus]) -> tuple[list[str], SubmitResult]:
    """Let held cells go on. Return the names of those that waited in the queue, and the submission of the others.

    Raises SlurmUnreachable, and what submitting raises.
    """
    held = [status for status in states if status.state == CellState.HELD]
    arrays = {task.submission.name: task.submission for tasks in _latest(plan, held).values() for task in tasks}
    # The whole study: an array has cells that the caller did not select, and their ends count too.
    all_states = cell_states(plan.cells, plan.store, plan.folder) if arrays else []
    for name, array in arrays.items():
        mark_released(plan.folder / "jobs", name, len(_ends(array, all_states)))
    waiting = _in_queue(plan, held, "PENDING")
    slurm.release(_task_ids(waiting))
    return list(waiting), _submit(plan, [status.name for status in held])


def retry(plan: Plan, states: Sequence[CellStatus], kinds: Sequence[str] | None = None) -> SubmitResult:
    """Submit failed cells again, those of these classes or all, however often they were tried. Raises what submitting raises."""
    classes = kinds or sorted({status.kind for status in states if status.kind})
    due = due_retries(states, Ledger(plan.folder / LEDGER).submissions(), None, classes)
    return _submit(plan, [retry.cell for retry in due], due)


def continue_study(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """Hold arrays that fail in a row, try failures again that may pass, submit cells that wait for room.

    Return lines that say what was done. Nothing is submitted while a state is unknown: the cell may be in the queue. Cells that
    wait for room stay while cells are held: they would most likely fail alike. Raises what submitting raises.
    """
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm) or any(status.state == CellState.UNKNOWN for status in states):
        return []
    ledger, held = Ledger(plan.folder / LEDGER), _hold_failing_arrays(plan, states, cluster.hold_after)
    lines = list(held)
    due = due_retries(states, ledger.submissions(), cluster.retries)
    if due:
        submitted = _submit(plan, [retry.cell for retry in due], due)
        if submitted.cells:
            lines += [f"{retry.cell}: try {retry.count} of {cluster.retries} after {retry.kind}" for retry in due]
    waiting = ledger.waiting()
    if waiting and not held and not any(status.state == CellState.HELD for status in states):
        names = {status.name for status in states if status.state == CellState.MISSING and status.name in waiting}
        jobs = jobs_of(plan, [cell for cell in plan.cells if cell.name in names])
        submitted = submit_waiting(jobs, cluster, plan.folder)
        if submitted.cells:
            lines.append(f"{submitted.cells} more cells submitted, {len(submitted.waiting)} wait for room")
    return lines


def _hold_failing_arrays(plan: Plan, states: Sequence[CellStatus], hold_after: int) -> list[str]:
    """Hold arrays whose cells failed alike in a row, and return a line for each.

    Workers hold an array themselves. This is for ends that no worker sees, because the kernel or Slurm ended the process.
    """
    jobs, lines = plan.folder / "jobs", []
    arrays = [array for array in Ledger(plan.folder / LEDGER).submissions() if array.job]
    for array in arrays:
        ends = _ends(array, states)
        # Somebody who released an array has seen the ends of then: only a later end holds it again.
        has_new = len(ends) > (ends_at_release(jobs, array.name) or 0)
        reason = (reason_to_hold(ends, hold_after) if has_new else None) or _sibling_reason(jobs, array, arrays)
        if not reason or why_held(jobs, array.name):
            continue
        # The marker is written also where nothing waits in this array: its siblings look at it.
        hold_array(jobs, array.name, reason)
        if any(status.state == CellState.QUEUED for status in _task_states(array, states)):
            slurm.hold([array.job or ""])
            lines.append(f"the rest of {array.name} is held: {reason}")
    return lines


def _sibling_reason(jobs: Path, array: Submission, arrays: Sequence[Submission]) -> str | None:
    """Return the reason for which another array behind the same canary is held; None where none is.

    Such arrays are one group of cells that was cut because it did not fit one array.
    """
    # A person has let this array go on, whatever its siblings do.
    if not array.gate or ends_at_release(jobs, array.name) is not None:
        return None
    siblings = [sibling for sibling in arrays if sibling.gate == array.gate and sibling.name != array.name]
    return next((reason for sibling in siblings if (reason := why_held(jobs, sibling.name))), None)


def _task_states(array: Submission, states: Sequence[CellStatus]) -> list[CellStatus]:
    """Return the states of an array's tasks, in the order of their indices."""
    by_task = {status.job: status for status in states if status.job}
    return [status for index in range(len(array.tasks)) if (status := by_task.get(f"{array.job}_{index}"))]


def _ends(array: Submission, states: Sequence[CellStatus]) -> list[tuple[str | None, str | None]]:
    """Return the class and error of each task that has ended, in the order of their indices."""
    return [(status.kind, status.detail) for status in _task_states(array, states) if status.state.is_over]


def _submit(plan: Plan, names: Sequence[str], due: Sequence[Retry] = ()) -> SubmitResult:
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm):
        raise ConfigProblems(
            [f"{plan.execution.study} was launched with cluster={cluster.kind}; launch it again instead"]
        )
    selected = set(names)
    return submit_missing(
        jobs_of(plan, [cell for cell in plan.cells if cell.name in selected]), cluster, plan.folder, due
    )


def _latest(plan: Plan, states: Sequence[CellStatus]) -> dict[str, list[SubmittedTask]]:
    """Return the tasks to which each of these cells was submitted last."""
    tasks = latest_tasks(Ledger(plan.folder / LEDGER).submissions())
    return {status.name: list(tasks[status.name].values()) for status in states if status.name in tasks}


def _task_ids(tasks_by_cell: Mapping[str, Sequence[SubmittedTask]]) -> list[str]:
    """Return the ``JOB_INDEX`` of all tasks, each once, sorted."""
    return sorted({task.job for tasks in tasks_by_cell.values() for task in tasks})


def _in_queue(plan: Plan, states: Sequence[CellStatus], state: str | None = None) -> dict[str, list[SubmittedTask]]:
    """Return the tasks in the queue of each cell that has any; with `state`, only those in that state of Slurm's."""
    latest = _latest(plan, [status for status in states if status.state != CellState.DONE])
    names = {task.job: task.submission.name for tasks in latest.values() for task in tasks}
    queue = slurm.queued_tasks(names) if latest else {}
    queued = {
        name: [task for task in tasks if task.job in queue and state in (None, queue[task.job].state)]
        for name, tasks in latest.items()
    }
    return {name: tasks for name, tasks in queued.items() if tasks}
