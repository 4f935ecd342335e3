"""What a person does to a study's cells on Slurm: cancel, hold, release, try again; and what following it does by itself."""

from collections.abc import Sequence
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
from ablation.study.plan import Plan


def cancel(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """Cancel what of these cells is in the queue or waits for room there; their names. Cells that share a task go together.

    Raises SlurmUnreachable, and RecordError while another process submits.
    """
    waited = withdraw_waiting(plan.folder, [one.name for one in states])
    for name, found in _in_queue(plan, states, "PENDING").items():
        for place in found:
            _note_cancelled(plan.folder / "jobs", name, place)
    places = _in_queue(plan, states)
    slurm.cancel(sorted({place.job for found in places.values() for place in found}))
    return list(dict.fromkeys([*places, *waited]))


def _note_cancelled(jobs: Path, cell: str, place: SubmittedTask) -> None:
    """Without accounting a task that has not begun leaves the queue without a word, and whoever watches would take it for lost.

    One that runs hears of it, and says so itself.
    """
    restart = max((one.restart for one in history.read(jobs, cell) if one.job == place.job), default=0)
    told = Event("ended", place.job, restart, place.submission.stage, "", "cancelled", "cancelled by `ablation cancel`")
    history.record(jobs, cell, told)


def hold(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """Keep what of these cells has not begun from starting; their names. Raises SlurmUnreachable."""
    places = _in_queue(plan, states, "PENDING")
    slurm.hold(sorted({place.job for found in places.values() for place in found}))
    return list(places)


def release(plan: Plan, states: Sequence[CellStatus]) -> tuple[list[str], SubmitResult]:
    """Let held cells go on: the names of those that waited in the queue, and what was submitted of the others.

    Raises SlurmUnreachable, and what submitting raises.
    """
    held = [one for one in states if one.state == "held"]
    arrays = {place.submission.name: place.submission for found in _places(plan, held).values() for place in found}
    everywhere = cell_states(plan.cells, plan.store, plan.folder) if arrays else []
    for name, array in arrays.items():
        mark_released(plan.folder / "jobs", name, len(_ends(array, everywhere)))
    waiting = _in_queue(plan, held, "PENDING")
    slurm.release(sorted({place.job for found in waiting.values() for place in found}))
    return list(waiting), _submit(plan, [one.name for one in held])


def retry(plan: Plan, states: Sequence[CellStatus], kinds: Sequence[str] | None = None) -> SubmitResult:
    """Submit the failed cells again, of these classes or of any, however often they were tried. Raises what submitting raises."""
    wanted = kinds or sorted({one.kind for one in states if one.kind})
    due = due_retries(states, Ledger(plan.folder / LEDGER).submissions(), None, wanted)
    return _submit(plan, [one.cell for one in due], due)


def continue_study(plan: Plan, states: Sequence[CellStatus]) -> list[str]:
    """What following a study does: hold what fails in a row, try again what may pass, submit what waits for room. Lines that say
    what was done.

    Nothing is submitted while a state is unknown, nor what waits for room while cells are held. Raises what submitting raises.
    """
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm) or any(one.state == "unknown" for one in states):
        return []
    ledger, held = Ledger(plan.folder / LEDGER), _hold_what_fails(plan, states, cluster.hold_after)
    said = list(held)
    due = due_retries(states, ledger.submissions(), cluster.retries)
    if due:
        done = _submit(plan, [one.cell for one in due], due)
        said += [f"{one.cell}: try {one.count} of {cluster.retries} after {one.kind}" for one in due if done.cells]
    waiting = ledger.waiting()
    if waiting and not held and not any(one.state == "held" for one in states):
        names = {one.name for one in states if one.state == "missing" and one.name in waiting}
        jobs = jobs_of(plan, [cell for cell in plan.cells if cell.name in names])
        done = submit_waiting(jobs, cluster, plan.folder)
        said += [f"{done.cells} more cells submitted, {len(done.waiting)} wait for room"] if done.cells else []
    return said


def _hold_what_fails(plan: Plan, states: Sequence[CellStatus], hold_after: int) -> list[str]:
    """Hold arrays whose cells ended alike in a row without a worker that could see it: the kernel or Slurm ended them."""
    jobs, said = plan.folder / "jobs", []
    arrays = [one for one in Ledger(plan.folder / LEDGER).submissions() if one.job]
    for array in arrays:
        ends = _ends(array, states)
        has_new = len(ends) > (ends_at_release(jobs, array.name) or 0)
        why = (reason_to_hold(ends, hold_after) if has_new else None) or _why_beside(jobs, array, arrays)
        if not why or why_held(jobs, array.name):
            continue
        hold_array(jobs, array.name, why)  # also where nothing waits: arrays beside it may
        if any(one.state == "queued" for one in _tasks(array, states)):
            slurm.hold([array.job or ""])
            said.append(f"the rest of {array.name} is held: {why}")
    return said


def _why_beside(jobs: Path, array: Submission, arrays: Sequence[Submission]) -> str | None:
    """Why another array behind the same canary is held: more of the same kind than fits one array."""
    if not array.gate or ends_at_release(jobs, array.name) is not None:
        return None
    beside = [one for one in arrays if one.gate == array.gate and one.name != array.name]
    return next((why for one in beside if (why := why_held(jobs, one.name))), None)


def _tasks(array: Submission, states: Sequence[CellStatus]) -> list[CellStatus]:
    """The states of an array's tasks, in their order."""
    by_task = {one.job: one for one in states if one.job}
    return [one for at in range(len(array.tasks)) if (one := by_task.get(f"{array.job}_{at}"))]


def _ends(array: Submission, states: Sequence[CellStatus]) -> list[tuple[str | None, str | None]]:
    """The class and error of each of its tasks that has ended, in their order."""
    return [(one.kind, one.detail) for one in _tasks(array, states) if one.state in ("failed", "lost", "done")]


def _submit(plan: Plan, names: Sequence[str], due: Sequence[Retry] = ()) -> SubmitResult:
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm):
        raise ConfigProblems(
            [f"{plan.execution.study} was launched with cluster={cluster.kind}; launch it again instead"]
        )
    wanted = set(names)
    return submit_missing(
        jobs_of(plan, [cell for cell in plan.cells if cell.name in wanted]), cluster, plan.folder, due
    )


def _places(plan: Plan, states: Sequence[CellStatus]) -> dict[str, list[SubmittedTask]]:
    found = latest_tasks(Ledger(plan.folder / LEDGER).submissions())
    return {one.name: list(found[one.name].values()) for one in states if one.name in found}


def _in_queue(plan: Plan, states: Sequence[CellStatus], state: str | None = None) -> dict[str, list[SubmittedTask]]:
    """The tasks in the queue (in this state of Slurm's) of each cell that has any."""
    places = _places(plan, [one for one in states if one.state != "done"])
    names = {one.job: one.submission.name for found in places.values() for one in found}
    queue = slurm.queued_tasks(names) if places else {}
    kept = {
        name: [one for one in found if one.job in queue and state in (None, queue[one.job].state)]
        for name, found in places.items()
    }
    return {name: found for name, found in kept.items() if found}
