"""One rule and one form of words for every estimate, whichever way it points."""

import math
from collections.abc import Mapping
from typing import Any

from ablation.analysis.effects.uncertainty import ALPHA

EstimateRow = Mapping[Any, Any]
"""A row of a table of `estimate`: `estimate low high reason`, and `p_holm` where it was corrected."""


def judge(row: EstimateRow) -> str:
    """Return `raised` or `lowered` when the interval excludes zero, `open` when it does not, `unknown` without one.

    Where there is a corrected p (`p_holm`), that must be at most 5 % as well.
    """
    if math.isnan(row["estimate"]) or math.isnan(row["low"]):
        return "unknown"
    if row.get("p_holm", 0.0) > ALPHA:
        return "open"
    return "raised" if row["low"] > 0 else "lowered" if row["high"] < 0 else "open"


def sentence(subject: str, metric: str, over: str, row: EstimateRow) -> str:
    """Return a sentence about the effect of `subject` on `metric`; `over` names the cells that the estimate rests on."""
    verdict = judge(row)
    if math.isnan(row["estimate"]):
        return f"{subject}: cannot be estimated ({row['reason']})."
    if verdict == "unknown":
        return f"{subject}: {points(row['estimate'])} points of {metric}, {over} ({row['reason']})."
    # The interval excludes zero and the corrected p does not: the words must not contradict the interval beside them.
    if verdict == "open" and not row["low"] <= 0 <= row["high"]:
        corrected = (
            f"not distinguishable from zero once corrected for the number of contrasts (p = {row['p_holm']:.2f})"
        )
        return f"{subject}: {corrected}, {interval(row)} points of {metric}, {over}."
    if verdict == "open":
        return f"{subject}: not distinguishable from zero, {interval(row)} points of {metric}, {over}."
    size = f"{abs(100 * row['estimate']):.1f} points {bounds(row)}"
    return f"{subject} {verdict} {metric} by {size}, {over}."


def points(fraction: float) -> str:
    """Return a difference of fractions in percentage points, signed: 0.042 is +4.2; a dash for NaN."""
    if math.isnan(fraction):
        return "–"
    rounded = round(100 * fraction, 1) + 0.0
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def bounds(row: EstimateRow) -> str:
    """Return the interval alone: [+1.0, +7.5]."""
    return f"[{points(row['low'])}, {points(row['high'])}]"


def interval(row: EstimateRow) -> str:
    """Return the estimate with its interval, +4.2 [+1.0, +7.5], or the estimate alone where it has none."""
    return points(row["estimate"]) if math.isnan(row["low"]) else f"{points(row['estimate'])} {bounds(row)}"


def counted(number: int, thing: str) -> str:
    """Return the number with its noun: 1 pair, 2 pairs."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
