"""Agreement with the published numbers of the study that this tool repeats (arXiv 2504.11741), where a study overlaps it.

`data/published.csv` holds them with their source and a mark: `code` (read in its repository), `figure` (read off its
Figure 1) or `digest` (from summaries only, so approximate).
"""

import json
import math
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.effects.conditions import conditions, exact_interval
from ablation.analysis.ladder.potential import pooled_coverage
from ablation.analysis.records.load import Study
from ablation.analysis.records.scores import Scores
from ablation.specs.vocabulary import FACTORS

PUBLISHED_MODEL = "Qwen2.5-32B-Instruct"
PUBLISHED_QUESTIONS = frozenset(map(str, range(60, 90)))  # AIME 2024 by its ids
OTHER_QUESTIONS = "this study asks other questions than AIME 2024 (ids 60–89)"
OTHER_MODEL = f"this study's base model is not {PUBLISHED_MODEL}"
OTHER_TIERS = "this study divides AIME 2024 otherwise"
NO_SETTING = "no complete setting of this study has these factors"
PUBLISHED_TIER_SIZES = {"easy": 4, "medium": 10, "hard": 12, "exh": 4, "all": 30}
AGREEMENT_COLUMNS = (
    "name", "mark", "source", "setting", "tier", "measure", "published", "published_low", "published_high", "k", "estimate",
    "low", "high", "difference", "verdict", "reason",
)  # fmt: skip


def published() -> pd.DataFrame:
    """Read the published numbers: factors (missing: any level), tier, measure, and counts or a value."""
    with (files("ablation.analysis") / "data" / "published.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype={"count": "Int64", "correct": "Int64", "attempts": "Int64"})


def agreement(study: Study, scores: Scores) -> pd.DataFrame:
    """Compare each published number with every setting of this study that has its factors (columns `AGREEMENT_COLUMNS`).

    `published_low` and `published_high` are the exact binomial interval of its counts, or the published ±. `low` and `high`
    are this study's interval on these questions. The verdict is `compatible` where the two overlap and `differs` where they
    do not: a conservative comparison, and compatible does not mean the same. A number without such a setting has one row with
    the reason.
    """
    rows = [_blank(row) for row in published().to_dict("records")]
    if reason := _apart(study, scores):
        return pd.DataFrame([{**row, "reason": reason} for _, row in rows], columns=list(AGREEMENT_COLUMNS))
    averages = conditions(scores, draws=0)
    averages = averages[(averages["measure"] == "avg") & averages["estimate"].notna()]
    pooled = pooled_coverage(scores)
    compared = []
    for wanted, row in rows:
        table = averages if row["measure"] == "avg" else pooled
        settings = table[(table["tier"] == row["tier"]) & _same(table, wanted)].to_dict("records")
        compared += [_compare(row, setting) for setting in settings] or [{**row, "reason": NO_SETTING}]
    return pd.DataFrame(compared, columns=list(AGREEMENT_COLUMNS))


def _apart(study: Study, scores: Scores) -> str:
    """Return the reason why no number can be compared; `""` when they can."""
    if set(scores.questions["question"]) != PUBLISHED_QUESTIONS:
        return OTHER_QUESTIONS
    if {tier: int(scores.in_tier_q(tier).sum()) for tier in scores.all_and_tiers} != PUBLISHED_TIER_SIZES:
        return OTHER_TIERS
    models = [fixed.get("model") for fixed in study.manifest.get("fixed", [])]
    return OTHER_MODEL if any(PUBLISHED_MODEL not in json.dumps(model) for model in models) else ""


def _blank(row: dict[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the factors of a published number, its row before it is compared)."""
    wanted = {factor: row[factor] for factor in FACTORS if not pd.isna(row[factor])}
    value, low, high = row["value"], math.nan, math.nan
    if not pd.isna(row["correct"]):
        value = row["correct"] / row["attempts"]
        low, high = exact_interval(int(row["correct"]), int(row["attempts"]))
    elif not pd.isna(row["plus_minus"]):
        low, high = value - row["plus_minus"], value + row["plus_minus"]
    labels = {name: row[name] for name in ("name", "mark", "source", "tier", "measure")}
    numbers = {"published": float(value), "published_low": low, "published_high": high, "setting": "", "verdict": ""}
    return wanted, {**dict.fromkeys(AGREEMENT_COLUMNS, np.nan), **labels, **numbers, "reason": ""}


def _same(table: pd.DataFrame, wanted: dict[str, Any]) -> "pd.Series[bool]":
    """Return a mask of the rows that have these levels."""
    same = pd.Series(True, index=table.index)
    for factor, level in wanted.items():
        same &= (table[factor] == level).fillna(False).astype(bool)
    return same


def _compare(row: dict[str, Any], setting: dict[Any, Any]) -> dict[str, Any]:
    """Return the row of a published number, completed with the estimate of a setting and the verdict."""
    name = " · ".join(str(setting[factor]) for factor in FACTORS if not pd.isna(setting[factor]))
    # A pooled cov has no interval on either side, so it has no verdict: the difference stands alone.
    if row["measure"] == "cov":
        numbers = {"estimate": setting["cov"], "k": setting["k"], "difference": setting["cov"] - row["published"]}
        reason = "" if setting["k"] == 32 else "published at k = 32: not comparable at another k"
        return {**row, **numbers, "setting": name, "reason": reason or "no interval of a pooled cov"}
    low, high = setting["low_these"], setting["high_these"]
    numbers = {"setting": name, "estimate": setting["estimate"], "low": low, "high": high,
               "difference": setting["estimate"] - row["published"]}  # fmt: skip
    if math.isnan(low):
        return {**row, **numbers, "reason": setting["reason"]}
    # Without counts and without ±, the published number itself is the interval.
    least, most = (
        row["published"] if math.isnan(row[bound]) else row[bound] for bound in ("published_low", "published_high")
    )
    return {**row, **numbers, "verdict": "compatible" if low <= most and least <= high else "differs"}
