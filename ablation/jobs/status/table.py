"""The tables of progress for a terminal; they also fit 80 columns without colour."""

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
    """Return a table with a line for each level of each factor, and the grid of categories and counts where it fits."""
    grid = panels(cells, states, console)
    return Group(_by_factor(cells, states), "", *((grid, "") if grid else ()))


def headline(study: str, states: Sequence[CellStatus]) -> Text:
    """Return the counts in one line: ``cnls: 49 cells: 12 done, 4 running, 33 queued``."""
    counts = totals(states)
    line = Text(f"{study}: {len(states)} cells")
    for position, state in enumerate(state for state in STATES if counts[state]):
        line.append(": " if position == 0 else ", ").append(f"{counts[state]} {state}", STYLES[state])
    return line


def exceptions(states: Sequence[CellStatus], study: str) -> list[Text]:
    """Return one line for each cell that needs a person's attention, up to twenty; then a line that counts the others."""
    alarming = [status for status in states if status.needs_attention]
    lines = [
        Text.assemble((f"{status.state} ", STYLES[status.state]), f"{status.name}", f": {_first_line(status.detail)}")
        for status in alarming[:_SHOWN_EXCEPTIONS]
    ]
    if len(alarming) > len(lines):
        lines.append(Text(f"… and {len(alarming) - len(lines)} more: `ablation failures {study}` groups them", "dim"))
    return lines


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
        for position, (level, level_counts) in enumerate(levels.items()):
            last = position == len(levels) - 1
            table.add_row("" if position else factor, level, *_numbers(level_counts, shown), end_section=last)
    table.add_row("all", "", *_numbers(counts, shown), style="bold")
    return table


def _numbers(counts: Counter[str], shown: Sequence[str]) -> list[str]:
    return [str(counts[state] or "·") for state in shown]
