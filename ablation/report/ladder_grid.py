"""Tier by setting: for each tier a block of rows, one a category, and a column for each style, length and count."""

from dataclasses import replace
from itertools import groupby
from typing import Any

import pandas as pd

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.records.matching import levels
from ablation.report.display_text import level_text, percent
from ablation.report.tables import Heat, heat, scope_label
from ablation.specs.vocabulary import FACTORS

# (style, length, count) of one column.
Column = tuple[Any, ...]
COLUMN_FACTORS = ("style", "length", "count")


def ladder_grid(analysis: Analysis) -> dict[str, Any]:
    """Return the grid's `headings` (as `_headings`) and its `blocks`, one a tier: (tier, base, rows).

    A row is (category, a Heat for each column); `base` is the square of the untrained model. A setting that was not planned
    is None, an incomplete one a dash. `starts` holds the columns at which a style or a length begins.
    """
    averages = analysis.conditions[analysis.conditions["measure"] == "avg"]
    trained = averages[averages["count"].notna() & (averages["count"] > 0)]
    columns = _columns(trained)
    categories = levels(analysis.scores.cells, "category") if len(trained) else []
    row_of = {_key(row): row for row in trained.to_dict("records")}
    untrained = averages[averages["count"] == 0].drop_duplicates("tier")
    base_rows = {row["tier"]: row for row in untrained.to_dict("records")}
    blocks = []
    for scope in analysis.scores.all_and_tiers:
        rows = [
            (level_text(category), [_square(row_of.get((scope, category, *column))) for column in columns])
            for category in categories
        ]
        blocks.append((scope_label(scope), _square(base_rows.get(scope)), rows))
    return {
        "headings": _headings(columns),
        "blocks": blocks,
        "starts": {i for i in range(1, len(columns)) if columns[i][:2] != columns[i - 1][:2]},
        "has_base": bool(base_rows),
        "columns": len(columns),
    }


def _columns(trained: pd.DataFrame) -> list[Column]:
    """Return the planned columns, each factor in its natural order."""
    planned = set(trained[list(COLUMN_FACTORS)].itertuples(index=False, name=None))
    rank = {factor: {level: i for i, level in enumerate(levels(trained, factor))} for factor in COLUMN_FACTORS}
    return sorted(
        planned,
        key=lambda column: [rank[factor].get(level, -1) for factor, level in zip(COLUMN_FACTORS, column, strict=True)],
    )


def _headings(columns: list[Column]) -> list[list[tuple[str, int, bool]]]:
    """Return (label, columns that it spans, True where a new style or length begins) for style, length and count in turn."""
    headings = []
    for depth in range(1, len(COLUMN_FACTORS) + 1):
        groups = [(key, len(list(group))) for key, group in groupby(columns, key=lambda column: column[:depth])]
        row, before = [], None
        for key, width in groups:
            row.append((level_text(key[-1]), width, before is not None and key[:2] != before[:2]))
            before = key
        headings.append(row)
    return headings


def _key(row: dict[Any, Any]) -> tuple[Any, ...]:
    """Return (tier, category, style, length, count)."""
    return row["tier"], row["category"], *(row[name] for name in COLUMN_FACTORS)


def _square(row: dict[Any, Any] | None) -> Heat | None:
    """Return a setting's average in whole percent, with a sentence that has the interval; None where it was not planned."""
    if row is None:
        return None
    setting = " · ".join(level_text(row[name]) for name in FACTORS if not pd.isna(row[name]) and row["count"] != 0)
    bounds = (
        ""
        if pd.isna(row["low_these"])
        else f" [{percent(row['low_these'])}, {percent(row['high_these'])}] on these questions"
    )
    runs = f", {row['runs']} run{'' if row['runs'] == 1 else 's'}"
    square = heat(row["estimate"], f"{setting or 'base model'}: {percent(row['estimate'])} %{bounds}{runs}")
    return replace(square, text=f"{100 * row['estimate']:.0f}" if square.tint is not None else "–")
