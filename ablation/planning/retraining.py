"""The cost of dropped weights: the trainings that an evaluation needs again, by the time that each of them took."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.jobs.status.time_left import recorded_s
from ablation.specs.cell import Cell
from ablation.store.records import TIMING_FILE
from ablation.store.store import Store
from ablation.study.retention import explain_dropped_weights


@dataclass(frozen=True)
class Retraining:
    """Trainings to be done again."""

    cells: int
    """The number of cells that cannot be evaluated before."""
    trainings: int
    seconds: float
    """The time that these trainings took at first."""


def count_retraining(missing: Sequence[Cell], store: Store) -> Retraining:
    """Count the trainings of ungraded cells whose weights were dropped while attempts are still to be sampled."""
    stopped = [cell for cell in missing if explain_dropped_weights(cell, store)]
    folders = {cell.folders["train"] for cell in stopped}
    seconds = [recorded_s(store.root / folder / TIMING_FILE) or 0.0 for folder in folders]
    return Retraining(len(stopped), len(folders), sum(seconds))
