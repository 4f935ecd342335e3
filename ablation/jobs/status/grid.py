"""Draw the grid of a study: a glyph for each category and count, a panel for each length and style."""

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ablation.jobs.status.counts import grid, in_order
from ablation.jobs.status.states import CellStatus
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState

STYLES = {
    CellState.DONE: "green",
    CellState.RUNNING: "cyan",
    CellState.QUEUED: "blue",
    CellState.HELD: "yellow",
    CellState.FAILED: "red",
    CellState.LOST: "red",
    CellState.UNKNOWN: "yellow",
    CellState.MISSING: "dim",
}
# Two glyphs a state: the first for most terminals, the second for those that have ASCII alone.
_GLYPHS = {
    CellState.DONE: "✓+",
    CellState.RUNNING: "▶>",
    CellState.QUEUED: "·.",
    CellState.HELD: "‖=",
    CellState.FAILED: "✗x",
    CellState.LOST: "!!",
    CellState.UNKNOWN: "??",
    CellState.MISSING: "–-",
}
_TALLEST = 24
_GAP = 3

GridPanel = Mapping[tuple[str, int], CellState]


def panels(cells: Sequence[Cell], states: Sequence[CellStatus], console: Console) -> Group | None:
    """Return the panels, as many side by side as fit; None where there is no grid, or not one panel fits the terminal."""
    states_by_panel = grid(cells, states)
    categories = in_order(list({category for panel in states_by_panel.values() for category, _ in panel}))
    counts = sorted({count for panel in states_by_panel.values() for _, count in panel})
    # One square says nothing beyond the headline, and a grid taller than a screen is no glance.
    if len(categories) * len(counts) < 2 or len(categories) > _TALLEST:
        return None
    titles = {key: " ".join(key) for key in states_by_panel}
    label_width = max(map(len, ("category", *categories)))
    # A glyph and a blank for each count, but no blank after the last.
    width = max(2 * len(counts) - 1, *map(len, titles.values())) + _GAP
    panels_a_row = (console.width - label_width) // width
    lengths = in_order(list({length for length, _ in states_by_panel}))
    order = sorted(states_by_panel, key=lambda key: (lengths.index(key[0]), key[1]))
    if panels_a_row < 1:
        return None
    ascii_only = console.options.ascii_only
    rows = [order[start : start + panels_a_row] for start in range(0, len(order), panels_a_row)]
    tables = [
        _row({titles[key]: states_by_panel[key] for key in keys}, categories, counts, ascii_only) for keys in rows
    ]
    return Group(_legend(states_by_panel, counts, ascii_only), *tables)


def _row(titled: Mapping[str, GridPanel], categories: Sequence[str], counts: Sequence[int], ascii_only: bool) -> Table:
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_row(Text("category", "dim"), *(Text(title, "bold") for title in titled))
    for category in categories:
        table.add_row(
            category, *(_line([panel.get((category, n)) for n in counts], ascii_only) for panel in titled.values())
        )
    return table


def _line(states: Sequence[CellState | None], ascii_only: bool) -> Text:
    """Return one glyph for each count; a blank where the design has no cell."""
    return Text(" ").join(Text(_glyph(state, ascii_only), STYLES[state]) if state else Text(" ") for state in states)


def _glyph(state: CellState, ascii_only: bool) -> str:
    return _GLYPHS[state][1 if ascii_only else 0]


def _legend(states_by_panel: Mapping[tuple[str, str], GridPanel], counts: Sequence[int], ascii_only: bool) -> Text:
    present = {state for panel in states_by_panel.values() for state in panel.values()}
    legend = Text(f"counts {' '.join(map(str, counts))};", "dim")
    for state in (state for state in _GLYPHS if state in present):
        legend.append(f" {_glyph(state, ascii_only)}", STYLES[state]).append(f" {state}", "dim")
    return legend
