"""What a launch would submit now, with nothing changed: submitting carries it out, `ablation plan --scripts` shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.cluster import Resources, Slurm
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.jobs.slurm.queue_limits import QueueLimits, read_queue_limits
from ablation.jobs.status.states import Survey
from ablation.jobs.submit.arrays import Array, Piece, array_files, pieces, sbatch_text
from ablation.jobs.submit.code_copy import code_copy_path
from ablation.jobs.submit.resource_groups import group_by_resources
from ablation.jobs.submit.retry import Retry
from ablation.specs.cell import Cell
from ablation.store.store import Store


@dataclass(frozen=True)
class SubmissionPlan:
    """`pieces` are submitted in order, as long as Slurm takes them; the cells of `todo` that are in none wait for room.

    `in_vain` are tasks in the queue to be cancelled first. `ids` are Slurm's, by the names of the arrays that it has.
    """

    todo: tuple[Cell, ...]
    in_vain: tuple[str, ...]
    pieces: tuple[Piece, ...]
    ids: Mapping[str, str]
    why: str

    @property
    def arrays(self) -> list[Array]:
        """All arrays in order."""
        return [array for piece in self.pieces for array in piece.arrays]


def plan_submission(
    cells: Sequence[Cell],
    cluster: Slurm,
    study: Path,
    store: Store,
    submissions: Sequence[Submission],
    retries: Mapping[str, Retry],
) -> SubmissionPlan:
    """The wave for those of these cells that nothing in the queue will complete. Raises SlurmUnreachable.

    `submissions` are those of the study, each with Slurm's id (`Ledger.settled`).
    """
    queue = slurm.queue()
    todo, in_vain = _todo(Survey(cells, store, study, submissions), cells, queue)
    ids = {one.name: one.job for one in submissions if one.job}
    waiting = Ledger(study / LEDGER).waiting()
    is_later = bool(waiting) and all(cell.name in waiting for cell in todo)
    gate = _open_gate(submissions, ids, queue) if is_later and cluster.canary else None
    canary = cluster.canary and not is_later and not retries
    bounds = read_queue_limits(cluster) if todo else QueueLimits(1, 0, "")

    def changed(cell: Cell, resources: Resources) -> Resources:
        retry = retries.get(cell.name)
        return retry.applied_to(resources) if retry else resources

    def cut() -> Iterator[Piece]:
        room = bounds.room(len(queue))
        for group in group_by_resources(todo, cluster, lambda cell: store.is_complete(cell.folders["train"]), changed):
            for piece in pieces(group, study, len(submissions), canary, bounds.array, room, gate):
                yield piece
                room -= piece.tasks

    return SubmissionPlan(tuple(todo), tuple(sorted(in_vain)), tuple(cut()), ids, f"{bounds.named} is reached")


def preview_scripts(cells: Sequence[Cell], cluster: Slurm, study: Path, store: Store) -> dict[str, str]:
    """The sbatch files that a launch of these cells would write and submit now, by name; writes and changes nothing.

    ``ID-OF-NAME`` stands where the id of an array will, which Slurm gives when it takes that one; the rest is the file's text.
    Raises SlurmUnreachable.
    """
    submissions = Ledger(study / LEDGER).settled(slurm.find_job)
    wave = plan_submission(cells, cluster, study, store, submissions, {})
    ids = {**{array.name: f"ID-OF-{array.name}" for array in wave.arrays}, **wave.ids}
    code = code_copy_path(study / "code")
    return {array.name: sbatch_text(array, cluster, array_files(study, array.name, code), ids) for array in wave.arrays}


def _todo(survey: Survey, cells: Sequence[Cell], queue: Mapping[str, slurm.QueuedTask]) -> tuple[list[Cell], set[str]]:
    """The cells that nothing in the queue will complete, and what of theirs waits there in vain."""
    todo: list[Cell] = []
    in_vain: set[str] = set()
    for cell in cells:
        array_files = survey.tasks.get(cell.name, {}).values()
        tasks = [one.job for one in array_files if one.job in queue and queue[one.job].name == one.submission.name]
        if tasks and not survey.state(cell).state.is_failure and not survey.is_blocked(cell):
            continue
        todo.append(cell)
        in_vain.update(task for task in tasks if queue[task].state == "PENDING")
    return todo, in_vain


def _open_gate(
    submissions: Sequence[Submission], ids: Mapping[str, str], queue: Mapping[str, slurm.QueuedTask]
) -> str | None:
    """The canary of an earlier wave that has not ended yet: what an array waits for, or the last task that went alone."""
    gates = [one.gate for one in submissions if one.gate]
    gates += [one.name for one in submissions[-1:] if len(one.tasks) == 1 and not one.gate and not one.retries]
    waiting = [gate for gate in gates if f"{ids.get(gate)}_0" in queue]
    return waiting[-1] if waiting else None
