"""How many cells stand where, for each level of each factor; pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import get_args

from ablation.jobs.status.filters import value_of
from ablation.jobs.status.states import CellStatus
from ablation.jobs.status.task_state import State
from ablation.specs.cell import Cell

STATES: tuple[str, ...] = get_args(State)
ByLevel = dict[str, Counter[str]]
_FACTORS = ("category", "count", "length", "style", "seed", "model", "corpus", "benchmark")
_NATURAL = ("short", "normal", "long")
# The state that a reader has to see first where a place in the grid stands for several cells.
_URGENCY = ("failed", "lost", "held", "unknown", "running", "queued", "missing", "done")


def totals(states: Sequence[CellStatus]) -> Counter[str]:
    """Cells by state."""
    return Counter[str](one.state for one in states)


def by_factor(cells: Sequence[Cell], states: Sequence[CellStatus]) -> dict[str, ByLevel]:
    """Cells by state for each level of the factors that have several. The base model counts where it has a level."""
    found: dict[str, ByLevel] = {}
    for factor in _FACTORS:
        counts: ByLevel = defaultdict(Counter)
        pairs = Counter((value_of(cell, factor), one.state) for cell, one in zip(cells, states, strict=True))
        for (level, state), count in pairs.items():
            if level is not None:
                counts[str(level)][state] += count
        if len(counts) > 1:
            found[factor] = {level: counts[level] for level in in_order(counts)}
    return found


def in_order(levels: "Sequence[str] | ByLevel") -> list[str]:
    """Numbers by size, lengths from short to long, anything else by name."""

    def place(level: str) -> tuple[int, str]:
        if level.isdigit():
            return int(level), level
        return (_NATURAL.index(level) if level in _NATURAL else len(_NATURAL)), level

    return sorted(levels, key=place)


def grid(cells: Sequence[Cell], states: Sequence[CellStatus]) -> dict[tuple[str, str], dict[tuple[str, int], str]]:
    """For each (length, style), the most urgent state at each (category, count); the base model is not in it."""
    found: dict[tuple[str, str], dict[tuple[str, int], str]] = {}
    for cell, state in zip(cells, states, strict=True):
        if cell.category and cell.length and cell.style:
            panel = found.setdefault((cell.length.level, cell.style.name), {})
            place = (cell.category.name, cell.count.size)
            panel[place] = min(panel.get(place, "done"), state.state, key=_URGENCY.index)
    return found
