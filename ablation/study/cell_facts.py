"""Small facts about cells that several tables state: their state, their planned attempts, the order of their tiers."""

from collections.abc import Mapping, Sequence
from typing import Literal

from ablation.data.benchmark import sampled_questions, tier_names
from ablation.specs.cell import Cell
from ablation.store.store import Store


def state_of(cell: Cell, store: Store, errors: Mapping[str, str]) -> Literal["done", "failed", "missing"]:
    """`done` exactly when the cell is graded; a cell with an error is `failed`, any other is `missing`."""
    if store.find(cell.outcome):
        return "done"
    return "failed" if cell.name in errors else "missing"


def planned_attempts(cell: Cell) -> int:
    """Questions × attempts; where a pass line ends them, at most so many, at the questions of its tier."""
    return len(sampled_questions(cell.benchmark, cell.sample)) * cell.sample.n


def tier_order(cells: Sequence[Cell]) -> list[str]:
    """The tiers of all cells' benchmarks, in the order of their files."""
    return list(dict.fromkeys(name for cell in cells for name in tier_names(cell.benchmark)))


def released_models(cells: Sequence[Cell]) -> frozenset[str]:
    """The cells without training that are not the base model of the trained ones, such as checkpoints that others released.

    They have no factors: count 0 is the base model. Without trained cells a single model is the base, and of several none is.
    """
    bases = [cell for cell in cells if cell.is_base]
    trained = {cell.model.source for cell in cells if not cell.is_base}
    known = trained or {cell.model.source for cell in bases}
    if not trained and len(known) > 1:
        known = set()
    return frozenset(cell.name for cell in bases if cell.model.source not in known)
