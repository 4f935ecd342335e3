"""Quantities that differ between the levels of a factor beside the factor: its effect may be theirs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isclose
from statistics import mean

from ablation.specs.base import canonical_json
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import FACTORS
from ablation.study.cell_facts import released_models

CellQuantity = Callable[[Cell], float | None]
_FIXED_PARTS = ("corpus", "model", "benchmark", "train", "sample")


@dataclass(frozen=True)
class Confound:
    """A quantity whose mean differs between the levels of a factor, over the cells that are compared."""

    factor: str
    quantity: str
    by_level: dict[str, float]
    """The mean at each level where it is known."""


def planned_updates(cell: Cell) -> int:
    """Return the number of optimizer updates: epochs × ⌈N / batch⌉, since the last, smaller batch of an epoch is kept.

    With a budget of updates, it is the budget. With a budget of tokens, it is what the budget takes when every example is a full
    block. An untrained cell has 0.
    """
    if not cell.train:
        return 0
    if cell.train.epochs:
        return cell.train.epochs * ceil(cell.count.size / cell.train.batch)
    return cell.train.updates or ceil(planned_examples(cell) / cell.train.batch)


def planned_examples(cell: Cell) -> float:
    """Return the number of examples that training sees: epochs × N, or what the budget allows."""
    return cell.train.examples_seen(cell.count.size) if cell.train else 0


def find_confounds(cells: Sequence[Cell], mean_tokens: Mapping[Cell, float]) -> list[Confound]:
    """Return, for each factor, the quantities whose mean differs between its levels, among cells that agree in all else.

    `mean_tokens` is the mean length of a cell's trajectories, where it is known.
    """
    quantities: dict[str, CellQuantity] = {
        "updates": planned_updates,
        "examples": planned_examples,
        "epochs": lambda cell: cell.train.epochs if cell.train else None,
        "batch": lambda cell: cell.train.batch if cell.train else None,
        "mean length": mean_tokens.get,
        "tokens": lambda cell: mean_tokens[cell] * planned_examples(cell) if cell in mean_tokens else None,
    }
    confounds = []
    for factor in FACTORS:
        comparisons = _comparisons(cells, factor)
        for name, quantity in quantities.items():
            # Within one comparison: means over unequal sets of cells would differ even where no comparison does.
            if any(_differ([quantity(cell) for cell in compared]) for compared in comparisons):
                confounds.append(Confound(factor, name, _means_by_level(comparisons, factor, quantity)))
    return confounds


def comparison_warnings(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for everything that makes a comparison of levels mean something else, or impossible."""
    sentences = []
    for factor in FACTORS:
        levels = {str(cell.factor(factor)) for cell in cells if not cell.is_base}
        compared = _by_level(_comparisons(cells, factor), factor)
        if len(levels) > 1 and not compared:
            sentences.append(
                f"{factor}: no two cells differ in it alone, so its effect cannot be told from the others'"
            )
        # Without any comparison, the sentence above says it of all levels.
        alone = sorted(levels.difference(compared)) if compared else []
        if alone:
            sentences.append(f"{factor}: {', '.join(alone)} is compared with no other level at equal factors and seeds")
        sentences += [
            f"{factor}: its levels differ in {part} too ({kinds})"
            for part in _FIXED_PARTS
            if (kinds := _kinds_by_level(compared, part))
        ]
    return sentences + _indistinct_cells(cells)


def _comparisons(cells: Sequence[Cell], factor: str) -> list[list[Cell]]:
    """Return groups of trained cells with equal seeds and other factors, where a group has several levels of this factor."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if not cell.is_base:
            others = {name: level for name, level in cell.factors().items() if name not in (factor, "seed")}
            groups.setdefault(canonical_json([others, cell.seed.canonical()]), []).append(cell)
    return [group for group in groups.values() if len({cell.factor(factor) for cell in group}) > 1]


def _by_level(comparisons: Sequence[Sequence[Cell]], factor: str) -> dict[str, list[Cell]]:
    cells_by_level: dict[str, list[Cell]] = {}
    for cell in (cell for compared in comparisons for cell in compared):
        cells_by_level.setdefault(str(cell.factor(factor)), []).append(cell)
    return cells_by_level


def _differ(values: Sequence[float | None]) -> bool:
    numbers = [value for value in values if value is not None]
    return not all(isclose(number, numbers[0]) for number in numbers)


def _means_by_level(comparisons: Sequence[Sequence[Cell]], factor: str, quantity: CellQuantity) -> dict[str, float]:
    """Return the mean of the quantity at each level; a level at which it is not known is left out."""
    means = {}
    for level, cells in _by_level(comparisons, factor).items():
        values = [value for cell in cells if (value := quantity(cell)) is not None]
        if values:
            means[level] = mean(values)
    return means


def _kinds_by_level(compared: Mapping[str, Sequence[Cell]], part: str) -> str | None:
    """Return ``openr1_math at r1; s1k at gemini`` when the levels do not have the same kinds of `part`, else None."""
    kinds = {level: {canonical_json(cell.fixed()[part]) for cell in cells} for level, cells in compared.items()}
    if len({frozenset(level_kinds) for level_kinds in kinds.values()}) < 2:
        return None
    levels_by_names: dict[str, list[str]] = {}
    for level, cells in compared.items():
        names = sorted({getattr(getattr(cell, part), "name", "") for cell in cells})
        levels_by_names.setdefault(", ".join(filter(None, names)), []).append(level)
    # The specs differ and their names do not.
    if len(levels_by_names) < 2:
        return "in values of the same name"
    return "; ".join(f"{names} at {', '.join(levels)}" for names, levels in levels_by_names.items())


def _indistinct_cells(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence when several cells share factors and seeds: the report compares cells by these, so it compares none."""
    counts: dict[str, int] = {}
    without_factors = released_models(cells)
    for cell in (cell for cell in cells if cell.name not in without_factors):
        factors_and_seeds = canonical_json([cell.factors(), cell.seed.canonical()])
        counts[factors_and_seeds] = counts.get(factors_and_seeds, 0) + 1
    n_indistinct = sum(count for count in counts.values() if count > 1)
    if not n_indistinct:
        return []
    return [
        f"{n_indistinct} cells share all factors and seeds with another that differs elsewhere: "
        "the report compares none of them"
    ]
