"""The grid of a study at one glance: a glyph for each category and count, a panel for each length and style."""

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ablation.jobs.status.counts import grid, in_order
from ablation.jobs.status.states import CellStatus
from ablation.specs.cell import Cell

STYLES = {
    "done": "green", "running": "cyan", "queued": "blue", "held": "yellow", "failed": "red", "lost": "red",
    "unknown": "yellow", "missing": "dim",
}  # fmt: skip
# One for terminals that have the characters, one for those that have ASCII alone.
_GLYPHS = {
    "done": "✓+", "running": "▶>", "queued": "·.", "held": "‖=", "failed": "✗x", "lost": "!!", "unknown": "??", "missing": "–-",
}  # fmt: skip
_TALLEST = 24
_GAP = 3

GridPanel = Mapping[tuple[str, int], str]


def panels(cells: Sequence[Cell], states: Sequence[CellStatus], console: Console) -> Group | None:
    """The panels side by side, as many as the terminal has room for; None where there is no grid, or it would not fit."""
    found = grid(cells, states)
    categories = in_order(list({category for panel in found.values() for category, _ in panel}))
    counts = sorted({count for panel in found.values() for _, count in panel})
    if len(categories) * len(counts) < 2 or len(categories) > _TALLEST:
        return None
    titles = {key: " ".join(key) for key in found}
    head = max(map(len, ("category", *categories)))
    width = max(2 * len(counts) - 1, *map(len, titles.values())) + _GAP
    across = (console.width - head) // width
    lengths = in_order(list({length for length, _ in found}))
    order = sorted(found, key=lambda key: (lengths.index(key[0]), key[1]))
    if across < 1:
        return None
    ascii_only = console.options.ascii_only
    rows = [order[start : start + across] for start in range(0, len(order), across)]
    drawn = [_row({titles[key]: found[key] for key in keys}, categories, counts, ascii_only) for keys in rows]
    return Group(_legend(found, counts, ascii_only), *drawn)


def _row(titled: Mapping[str, GridPanel], categories: Sequence[str], counts: Sequence[int], ascii_only: bool) -> Table:
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_row(Text("category", "dim"), *(Text(title, "bold") for title in titled))
    for category in categories:
        table.add_row(
            category, *(_line([panel.get((category, n)) for n in counts], ascii_only) for panel in titled.values())
        )
    return table


def _line(states: Sequence[str | None], ascii_only: bool) -> Text:
    """One glyph for each count; a blank where the design has no cell."""
    return Text(" ").join(Text(_glyph(state, ascii_only), STYLES[state]) if state else Text(" ") for state in states)


def _glyph(state: str, ascii_only: bool) -> str:
    return _GLYPHS[state][1 if ascii_only else 0]


def _legend(found: Mapping[tuple[str, str], GridPanel], counts: Sequence[int], ascii_only: bool) -> Text:
    present = {state for panel in found.values() for state in panel.values()}
    told = Text(f"counts {' '.join(map(str, counts))};", "dim")
    for state in (state for state in _GLYPHS if state in present):
        told.append(f" {_glyph(state, ascii_only)}", STYLES[state]).append(f" {state}", "dim")
    return told
