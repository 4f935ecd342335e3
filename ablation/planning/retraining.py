"""What it costs that weights were dropped: the trainings that an evaluation asks for again, by what each of them took."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.jobs.status.time_left import recorded_s
from ablation.specs.cell import Cell
from ablation.store.records import TIMING_FILE
from ablation.store.store import Store
from ablation.study.retention import without_weights


@dataclass(frozen=True)
class Retraining:
    """`cells` that cannot be evaluated before `trainings` are done again, which took `seconds` the first time."""

    cells: int
    trainings: int
    seconds: float


def count_retraining(missing: Sequence[Cell], store: Store) -> Retraining:
    """Of the cells that are not graded, those whose weights were dropped while attempts are still to be sampled."""
    stopped = [cell for cell in missing if without_weights(cell, store)]
    stages = {cell.folders["train"] for cell in stopped}
    took = [recorded_s(store.root / stage / TIMING_FILE) or 0.0 for stage in stages]
    return Retraining(len(stopped), len(stages), sum(took))
