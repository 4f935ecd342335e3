"""What else differs between the levels of a factor: an effect of the factor may be an effect of that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isclose
from statistics import mean

from ablation.specs.base import canonical_json
from ablation.specs.cell import Cell
from ablation.study.cell_facts import released

FACTORS = ("category", "count", "length", "style")
CellQuantity = Callable[[Cell], float | None]


@dataclass(frozen=True)
class Confound:
    """A quantity whose mean differs between the levels of a factor, over the cells that are compared."""

    factor: str
    quantity: str
    by_level: dict[str, float]


def planned_updates(cell: Cell) -> int:
    """Optimizer updates: epochs × ⌈N / batch⌉, since the last, smaller batch of an epoch is kept, or those of the budget.

    With a budget of tokens, what it takes when every example is a full block.
    """
    if not cell.train:
        return 0
    if cell.train.epochs:
        return cell.train.epochs * ceil(cell.count.size / cell.train.batch)
    return cell.train.updates or ceil(planned_examples(cell) / cell.train.batch)


def planned_examples(cell: Cell) -> float:
    """Examples seen: epochs × N, or what the budget allows."""
    return cell.train.examples_seen(cell.count.size) if cell.train else 0


def find_confounds(cells: Sequence[Cell], mean_tokens: Mapping[Cell, float]) -> list[Confound]:
    """For each factor, the planned quantities whose mean differs between its levels, among cells that agree in all else.

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
    found = []
    for factor in FACTORS:
        settings = _settings(cells, factor)
        for quantity, measure in quantities.items():
            if any(_differ([measure(cell) for cell in members]) for members in settings):
                means = {level: _mean(members, measure) for level, members in _by_level(settings, factor).items()}
                known = {level: value for level, value in means.items() if value is not None}
                found.append(Confound(factor, quantity, known))
    return found


def comparison_warnings(cells: Sequence[Cell]) -> list[str]:
    """What makes a comparison of levels mean something else, or impossible, as sentences."""
    found = []
    for factor in FACTORS:
        levels = {str(cell.factor(factor)) for cell in cells if not cell.is_base}
        compared = _by_level(_settings(cells, factor), factor)
        if len(levels) > 1 and not compared:
            found.append(f"{factor}: no two cells differ in it alone, so its effect cannot be told from the others'")
        alone = sorted(levels.difference(compared)) if compared else []
        if alone:
            found.append(f"{factor}: {', '.join(alone)} is compared with no other level at equal factors and seeds")
        found += [
            f"{factor}: its levels differ in {part} too ({told})"
            for part in ("corpus", "model", "benchmark", "train", "sample")
            if (told := _differs(compared, part))
        ]
    return found + _twins(cells)


def _settings(cells: Sequence[Cell], factor: str) -> list[list[Cell]]:
    """Trained cells with all other factors and seeds equal, where they are at several levels of this one."""
    settings: dict[str, list[Cell]] = {}
    for cell in cells:
        if not cell.is_base:
            rest = {name: level for name, level in cell.factors().items() if name not in (factor, "seed")}
            settings.setdefault(canonical_json([rest, cell.seed.canonical()]), []).append(cell)
    return [members for members in settings.values() if len({cell.factor(factor) for cell in members}) > 1]


def _by_level(settings: Sequence[Sequence[Cell]], factor: str) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in (cell for members in settings for cell in members):
        found.setdefault(str(cell.factor(factor)), []).append(cell)
    return found


def _differ(values: Sequence[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return not all(isclose(value, known[0]) for value in known)


def _mean(cells: Sequence[Cell], measure: CellQuantity) -> float | None:
    values = [value for cell in cells if (value := measure(cell)) is not None]
    return mean(values) if values else None


def _differs(compared: Mapping[str, Sequence[Cell]], part: str) -> str | None:
    """``openr1_math at r1; s1k at gemini`` when the levels do not have the same kinds of `part`."""
    kinds = {level: {canonical_json(cell.fixed()[part]) for cell in members} for level, members in compared.items()}
    if len({frozenset(held) for held in kinds.values()}) < 2:
        return None
    names = {
        level: sorted({getattr(getattr(cell, part), "name", "") for cell in members})
        for level, members in compared.items()
    }
    levels: dict[str, list[str]] = {}
    for level, held in names.items():
        levels.setdefault(", ".join(filter(None, held)), []).append(level)
    if len(levels) < 2:
        return "in values of the same name"
    return "; ".join(f"{held} at {', '.join(those)}" for held, those in levels.items())


def _twins(cells: Sequence[Cell]) -> list[str]:
    """The report compares cells by their factors and seeds; where several share these, it compares none of them."""
    settings: dict[str, int] = {}
    without_factors = released(cells)
    for cell in (cell for cell in cells if cell.name not in without_factors):
        place = canonical_json([cell.factors(), cell.seed.canonical()])
        settings[place] = settings.get(place, 0) + 1
    count = sum(number for number in settings.values() if number > 1)
    if not count:
        return []
    return [
        f"{count} cells share all factors and seeds with another that differs elsewhere: the report compares none of them"
    ]
