"""What a person does to a study's cells on Slurm: cancel, hold, release, try again; and what following it does by itself."""

from collections.abc import Sequence

from ablation.cluster import Slurm
from ablation.dispatch import slurm
from ablation.dispatch.held import unhold
from ablation.dispatch.jobs import jobs_of
from ablation.dispatch.ledger import LEDGER, Ledger, Place, latest
from ablation.dispatch.retry import Retry, retries
from ablation.dispatch.states import CellState
from ablation.dispatch.submit import Handover, submit_missing
from ablation.errors import ConfigProblems
from ablation.study import Plan


def cancel(plan: Plan, states: Sequence[CellState]) -> list[str]:
    """Cancel what of these cells is in the queue; their names. Cells that share a task go together. Raises SlurmUnreachable."""
    places = _in_queue(plan, states)
    slurm.cancel(sorted({place.job for found in places.values() for place in found}))
    return list(places)


def hold(plan: Plan, states: Sequence[CellState]) -> list[str]:
    """Keep what of these cells has not begun from starting; their names. Raises SlurmUnreachable."""
    places = _in_queue(plan, states, "PENDING")
    slurm.hold(sorted({place.job for found in places.values() for place in found}))
    return list(places)


def release(plan: Plan, states: Sequence[CellState]) -> tuple[list[str], Handover]:
    """Let held cells go on: the names of those that waited in the queue, and what was submitted of the others.

    Raises SlurmUnreachable, and what submitting raises.
    """
    held = [one for one in states if one.state == "held"]
    for place in (place for found in _places(plan, held).values() for place in found):
        unhold(plan.folder / "jobs", place.submission.name)
    waiting = _in_queue(plan, held, "PENDING")
    slurm.release(sorted({place.job for found in waiting.values() for place in found}))
    return list(waiting), _submit(plan, [one.name for one in held])


def retry(plan: Plan, states: Sequence[CellState], kinds: Sequence[str] | None = None) -> Handover:
    """Submit the failed cells again, of these classes or of any, however often they were tried. Raises what submitting raises."""
    wanted = kinds or sorted({one.kind for one in states if one.kind})
    due = retries(states, Ledger(plan.folder / LEDGER).submissions(), None, wanted)
    return _submit(plan, [one.cell for one in due], due)


def go_on(plan: Plan, states: Sequence[CellState]) -> list[str]:
    """What following a study does: submit what waits for room, and try again what may pass. Lines that say what was done.

    Nothing is submitted while a state is unknown, nor what waits for room while cells are held. Raises what submitting raises.
    """
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm) or any(one.state == "unknown" for one in states):
        return []
    ledger, said = Ledger(plan.folder / LEDGER), []
    due = retries(states, ledger.submissions(), cluster.retries)
    if due:
        done = _submit(plan, [one.cell for one in due], due)
        said += [f"{one.cell}: try {one.count} of {cluster.retries} after {one.kind}" for one in due if done.cells]
    waiting = ledger.waiting()
    if waiting and not any(one.state == "held" for one in states):
        done = _submit(plan, [one.name for one in states if one.state == "missing" and one.name in waiting])
        said += [f"{done.cells} more cells submitted, {len(done.waiting)} wait for room"] if done.cells else []
    return said


def _submit(plan: Plan, names: Sequence[str], due: Sequence[Retry] = ()) -> Handover:
    cluster = plan.execution.cluster
    if not isinstance(cluster, Slurm):
        raise ConfigProblems(
            [f"{plan.execution.study} was launched with cluster={cluster.kind}; launch it again instead"]
        )
    wanted = set(names)
    return submit_missing(
        jobs_of(plan, [cell for cell in plan.cells if cell.name in wanted]), cluster, plan.folder, due
    )


def _places(plan: Plan, states: Sequence[CellState]) -> dict[str, list[Place]]:
    found = latest(Ledger(plan.folder / LEDGER).submissions())
    return {one.name: list(found[one.name].values()) for one in states if one.name in found}


def _in_queue(plan: Plan, states: Sequence[CellState], state: str | None = None) -> dict[str, list[Place]]:
    """The tasks in the queue (in this state of Slurm's) of each cell that has any."""
    places = _places(plan, [one for one in states if one.state != "done"])
    names = {one.job: one.submission.name for found in places.values() for one in found}
    queue = slurm.queued_as(names) if places else {}
    kept = {
        name: [one for one in found if one.job in queue and state in (None, queue[one.job].state)]
        for name, found in places.items()
    }
    return {name: found for name, found in kept.items() if found}
