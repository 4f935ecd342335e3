"""The tables of the attempts' texts: changes in length, endings and self-checks, and how alike the solutions are."""

import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.findings.estimate_text import judge
from ablation.analysis.records.load import ALL
from ablation.report.display_text import percent
from ablation.report.inline_svg import interval_glyph
from ablation.report.tables import Estimate

# (measure, label, unit, factor to that unit, digits)
MEASURES = (
    ("tokens", "length", "tokens", 1.0, 0),
    ("finish_length", "cut off", "points", 100.0, 1),
    ("self_checks", "self-checks", "per 1,000 tokens", 1.0, 2),
    ("corrections", "corrections", "per 1,000 tokens", 1.0, 2),
    ("repetition", "repetition", "points", 100.0, 1),
)


def behaviour_table(analysis: Analysis) -> dict[str, Any]:
    """Return `measures`: (label, unit) of those that were recorded; `rows`: one a contrast, with its Estimates as `cells`."""
    effects = analysis.trajectories.effects
    effects = effects[(effects["tier"] == ALL) & effects["reference"].notna()]
    recorded = [
        measure for measure in MEASURES if effects.loc[effects["measure"] == measure[0], "estimate"].notna().any()
    ]
    spans = {name: _span(effects[effects["measure"] == name]) for name, *_ in recorded}
    rows = []
    for (factor, level, reference), group in effects.groupby(["factor", "level", "reference"], sort=False):
        by_measure = {row["measure"]: row for row in group.to_dict("records")}
        cells = [
            _estimate(by_measure[name], spans[name], scale, digits)
            for name, _, _, scale, digits in recorded
            if name in by_measure
        ]
        # A contrast without a single number would be a row of dashes.
        if any(cell.value != "–" for cell in cells):
            rows.append({"factor": factor, "level": level, "reference": reference, "cells": cells})
    return {"measures": [(label, unit) for _, label, unit, _, _ in recorded], "rows": rows}


def similarity_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return one row a contrast that can be made: its numbers in percent, the difference with its interval."""
    similarity = analysis.trajectories.similarity
    similarity = similarity[(similarity["tier"] == ALL) & similarity["between"].notna()]
    return [
        {
            **{name: row[name] for name in ("factor", "level", "reference", "pairs", "reason")},
            "numbers": [percent(row[name]) for name in ("within", "between", "chance")],
            "difference": _signed(100 * row["difference"], 1),
            "bounds": ""
            if math.isnan(row["low"])
            else f"[{_signed(100 * row['low'], 1)}, {_signed(100 * row['high'], 1)}]",
            "is_clear": not math.isnan(row["low"]) and (row["low"] > 0 or row["high"] < 0),
        }
        for row in similarity.to_dict("records")
    ]


def _estimate(row: dict[Any, Any], span: float, scale: float, digits: int) -> Estimate:
    """Return a row of estimates in the measure's unit, its mark on an axis of its own from −`span` to +`span`."""
    verdict = judge(row)
    is_clear = verdict in ("raised", "lowered")
    low, high = (_signed(scale * row[name], digits) for name in ("low", "high"))
    bounds = "" if math.isnan(row["low"]) else f"[{low}, {high}]"
    glyph = interval_glyph(row["estimate"], row["low"], row["high"], span, is_clear) if span else Markup("")
    return Estimate(_signed(scale * row["estimate"], digits), bounds, verdict, row["reason"], glyph)


def _span(rows: pd.DataFrame) -> float:
    """Return the largest absolute value of a measure; 0.0 where there is none."""
    largest = rows[["estimate", "low", "high"]].abs().max().max()
    return 0.0 if pd.isna(largest) else float(largest)


def _signed(value: float, digits: int) -> str:
    """Return a number with its sign, zero without one, NaN as a dash."""
    if math.isnan(value):
        return "–"
    rounded = round(value, digits) + 0.0  # -0.0 + 0.0 is 0.0
    return f"{rounded:+,.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"
