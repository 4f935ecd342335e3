"""Counts of cells by state, for each level of each factor; pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from ablation.jobs.status.filters import value_of
from ablation.jobs.status.states import CellStatus
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import FACTORS, CellState

STATES = tuple(CellState)
ByLevel = dict[str, Counter[str]]
_COUNTED = (*FACTORS, "seed", "model", "corpus", "benchmark")
_LENGTHS = ("short", "normal", "long")
# The order in which states claim a square of the grid that stands for several cells: what a reader must see comes first.
_URGENCY = (
    CellState.FAILED,
    CellState.LOST,
    CellState.HELD,
    CellState.UNKNOWN,
    CellState.RUNNING,
    CellState.QUEUED,
    CellState.MISSING,
    CellState.DONE,
)


def totals(states: Sequence[CellStatus]) -> Counter[str]:
    """Count cells by state."""
    return Counter[str](status.state for status in states)


def by_factor(cells: Sequence[Cell], states: Sequence[CellStatus]) -> dict[str, ByLevel]:
    """Count cells by state for each level of the factors that have several levels.

    The base model has no level of most factors. It counts where it has one.
    """
    counted: dict[str, ByLevel] = {}
    for factor in _COUNTED:
        counts: ByLevel = defaultdict(Counter)
        pairs = Counter((value_of(cell, factor), status.state) for cell, status in zip(cells, states, strict=True))
        for (level, state), count in pairs.items():
            if level is not None:
                counts[str(level)][state] += count
        if len(counts) > 1:
            counted[factor] = {level: counts[level] for level in in_order(counts)}
    return counted


def in_order(levels: "Sequence[str] | ByLevel") -> list[str]:
    """Sort levels: numbers by size, lengths from short to long, anything else by name."""

    def rank(level: str) -> tuple[int, str]:
        if level.isdigit():
            return int(level), level
        return (_LENGTHS.index(level) if level in _LENGTHS else len(_LENGTHS)), level

    return sorted(levels, key=rank)


def grid(
    cells: Sequence[Cell], states: Sequence[CellStatus]
) -> dict[tuple[str, str], dict[tuple[str, int], CellState]]:
    """Return, for each (length, style), the most urgent state at each (category, count). The base model is not in it."""
    panels: dict[tuple[str, str], dict[tuple[str, int], CellState]] = {}
    for cell, status in zip(cells, states, strict=True):
        if cell.category and cell.length and cell.style:
            panel = panels.setdefault((cell.length.level, cell.style.name), {})
            square = (cell.category.name, cell.count.size)
            panel[square] = min(panel.get(square, CellState.DONE), status.state, key=_URGENCY.index)
    return panels
