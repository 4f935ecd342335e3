"""Progress as tables for a terminal, 80 columns and no colour included."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ablation.jobs.status.counts import STATES, by_factor, totals
from ablation.jobs.status.grid import STYLES, panels
from ablation.jobs.status.states import CellStatus
from ablation.specs.cell import Cell
from ablation.terminal import printable

_SHOWN_EXCEPTIONS = 20


def tables(cells: Sequence[Cell], states: Sequence[CellStatus], console: Console) -> RenderableType:
    """A table with a line for each level of each factor, and the grid of categories and counts where it fits."""
    drawn = panels(cells, states, console)
    return Group(_by_factor(cells, states), "", *((drawn, "") if drawn else ()))


def headline(study: str, states: Sequence[CellStatus]) -> Text:
    """``cnls: 49 cells: 12 done, 4 running, 33 queued``."""
    counts = totals(states)
    told = Text(f"{study}: {len(states)} cells")
    for place, state in enumerate(state for state in STATES if counts[state]):
        told.append(": " if place == 0 else ", ").append(f"{counts[state]} {state}", STYLES[state])
    return told


def exceptions(states: Sequence[CellStatus], study: str) -> list[Text]:
    """One line for each cell that needs somebody's attention, up to twenty."""
    odd = [one for one in states if _is_odd(one)]
    lines = [
        Text.assemble((f"{one.state} ", STYLES[one.state]), f"{one.name}", f": {_first_line(one.detail)}")
        for one in odd[:_SHOWN_EXCEPTIONS]
    ]
    if len(odd) > len(lines):
        lines.append(Text(f"… and {len(odd) - len(lines)} more: `ablation failures {study}` groups them", "dim"))
    return lines


def _is_odd(one: CellStatus) -> bool:
    return one.state in ("failed", "lost", "unknown", "held") or (one.detail or "").startswith("will never start")


def _first_line(detail: str | None) -> str:
    return next((line for line in printable(detail or "").splitlines() if line.strip()), "no reason was recorded")


def _by_factor(cells: Sequence[Cell], states: Sequence[CellStatus]) -> Table:
    counts = totals(states)
    shown = [state for state in STATES if counts[state]]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    table.add_column("")
    for state in shown:
        table.add_column(state, justify="right", style=STYLES[state], no_wrap=True)
    for factor, levels in by_factor(cells, states).items():
        for place, (level, found) in enumerate(levels.items()):
            last = place == len(levels) - 1
            table.add_row("" if place else factor, level, *_numbers(found, shown), end_section=last)
    table.add_row("all", "", *_numbers(counts, shown), style="bold")
    return table


def _numbers(counts: Counter[str], shown: Sequence[str]) -> list[str]:
    return [str(counts[state] or "·") for state in shown]
