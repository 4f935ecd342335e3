"""Facts about cells that several tables state: their state, their planned attempts, the order of their tiers."""

from collections.abc import Mapping, Sequence

from ablation.data.benchmark import sampled_questions, tier_names
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState
from ablation.store.store import Store


def state_of(cell: Cell, store: Store, errors: Mapping[str, str]) -> CellState:
    """Return DONE exactly when the cell is graded, else FAILED when `errors` has its name, else MISSING.

    Raises RecordError when the folder of the grade is of other work.
    """
    if store.find(cell.outcome):
        return CellState.DONE
    return CellState.FAILED if cell.name in errors else CellState.MISSING


def planned_attempts(cell: Cell) -> int:
    """Return questions × attempts. Where a pass line ends the sampling: the most there can be, at the questions of its tier."""
    return len(sampled_questions(cell.benchmark, cell.sample)) * cell.sample.n


def tier_order(cells: Sequence[Cell]) -> list[str]:
    """Return the tiers of all cells' benchmarks, in the order of their files."""
    return list(dict.fromkeys(name for cell in cells for name in tier_names(cell.benchmark)))


def released_models(cells: Sequence[Cell]) -> frozenset[str]:
    """Return the names of untrained cells that are not the base model of the trained ones, such as released checkpoints.

    They have no factors: count 0 is the base model. Without trained cells a single model is the base, and of several none is.
    """
    # Trained cells tell the base model: the one that they start from.
    untrained = [cell for cell in cells if cell.is_base]
    base_models = {cell.model.source for cell in cells if not cell.is_base}
    if not base_models:
        models = {cell.model.source for cell in untrained}
        base_models = models if len(models) == 1 else set()
    return frozenset(cell.name for cell in untrained if cell.model.source not in base_models)
