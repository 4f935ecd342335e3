"""Tier by setting: for each tier a block of rows, one a category, and a column for each style, length and count."""

from itertools import groupby
from typing import Any

import pandas as pd

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.records.matching import levels
from ablation.report.display_text import level_text, percent
from ablation.report.tables import heat, scope_label
from ablation.specs.vocabulary import FACTORS

_COLUMNS = ("style", "length", "count")


def ladder_grid(analysis: Analysis) -> dict[str, Any]:
    """`headings`: one list of (label, columns) for each of style, length and count; `blocks`: (tier, base, rows), a row being
    (category, a Heat for each column). A setting that was not planned is an empty square; one that is incomplete, a dash.
    """
    found = analysis.conditions[analysis.conditions["measure"] == "avg"]
    trained = found[found["count"].notna() & (found["count"] > 0)]
    columns = _columns(trained)
    categories = levels(analysis.scores.cells, "category") if len(trained) else []
    rows_of = {key: row for row in trained.to_dict("records") for key in [_key(row)]}
    base = found[found["count"] == 0].to_dict("records")
    blocks = []
    for scope in analysis.scores.all_and_tiers:
        rows = [
            (level_text(category), [_square(rows_of.get((scope, category, *column))) for column in columns])
            for category in categories
        ]
        own = next((row for row in base if row["tier"] == scope), None)
        blocks.append((scope_label(scope), _square(own) if own else None, rows))
    starts = {place for place in range(1, len(columns)) if columns[place][:2] != columns[place - 1][:2]}
    told = {"headings": _headings(columns), "blocks": blocks, "starts": starts}
    return told | {"has_base": bool(base), "columns": len(columns)}


def _columns(trained: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The planned (style, length, count), each factor in its natural order."""
    planned = set(trained[list(_COLUMNS)].itertuples(index=False, name=None))
    place = {name: {level: p for p, level in enumerate(levels(trained, name))} for name in _COLUMNS}
    return sorted(
        planned, key=lambda one: [place[name].get(level, -1) for name, level in zip(_COLUMNS, one, strict=True)]
    )


def _headings(columns: list[tuple[Any, ...]]) -> list[list[tuple[str, int, bool]]]:
    """For each factor, (label, how many columns it spans, whether a new style or length begins there)."""
    found = []
    for depth in range(1, len(_COLUMNS) + 1):
        groups = [(key, len(list(group))) for key, group in groupby(columns, key=lambda one: one[:depth])]
        row, before = [], None
        for key, width in groups:
            row.append((level_text(key[-1]), width, before is not None and key[:2] != before[:2]))
            before = key
        found.append(row)
    return found


def _key(row: dict[Any, Any]) -> tuple[Any, ...]:
    return row["tier"], row["category"], *(row[name] for name in _COLUMNS)


def _square(row: dict[Any, Any] | None) -> Any:
    if row is None:
        return None
    levels_ = " · ".join(level_text(row[name]) for name in FACTORS if not pd.isna(row[name]) and row["count"] != 0)
    bounds = (
        ""
        if pd.isna(row["low_these"])
        else f" [{percent(row['low_these'])}, {percent(row['high_these'])}] on these questions"
    )
    runs = f", {row['runs']} run{'' if row['runs'] == 1 else 's'}"
    square = heat(row["estimate"], f"{levels_ or 'base model'}: {percent(row['estimate'])} %{bounds}{runs}")
    return type(square)(f"{100 * row['estimate']:.0f}" if square.tint is not None else "–", square.tint, square.title)
