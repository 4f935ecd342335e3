"""Equivalence of the levels of a factor within a margin. Three verdicts: "not different" is never read as "the same"."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.factor_effects import NO_MATCH
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import ALPHA
from ablation.analysis.records.load import ALL
from ablation.analysis.records.matching import comparable, levels, matched_sets, mean_weights
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Scores

MARGIN = 0.04  # the study's "within ± 4 %"
RUNS_NOT_TOLD_FROM_LEVELS = "no setting was run with two seeds, so two training runs cannot be told from two levels"
MANY_SEEDS = 1_000  # the search for `more_seeds` ends here


def equivalence(scores: Scores, factor: str, margin: float = MARGIN, tier: str = ALL) -> pd.DataFrame:
    """Judge every pair of levels of `factor` on these questions: `different`, `equivalent` (within ± margin) or `undecided`.

    Columns: `level reference pairs`, those of `estimate`, `low_90 high_90 p_tost p_holm verdict more_seeds`. Two one-sided
    tests (Schuirmann 1987, J. Pharmacokinetics and Biopharmaceutics 15(6)): equivalent where the 90 % interval lies within
    ± margin; else different where p after Holm over all pairs is at most 5 %; else undecided. `more_seeds` is the number of
    further seeds per level that would bring the 90 % interval within the margin if the estimate stayed; NaN where no
    number would. Without replicated settings every verdict is undecided. Empty with fewer than two levels.
    """
    ordered = levels(scores.cells, factor)
    sets = matched_sets(comparable(scores, tier), factor).reindex(columns=ordered)
    sums = [_pair(sets, level, reference, len(scores.cells)) for reference, level in combinations(ordered, 2)]
    if not sums:
        return pd.DataFrame()
    frame = estimate(scores, tier, sums, draws=0).drop(columns=["low_bootstrap", "high_bootstrap"])
    frame = with_holm(frame.assign(p=frame["p_these"]), ["tier"])
    # Without replicates the seeds' variance is missing from every error: an interval that is too narrow would call two runs
    # equivalent or different. So no verdict is given, and the estimates stand with a reason.
    replicated = replicates(scores, measure(scores, tier)).degrees > 0
    half = frame["se_these"] * stdtrit(np.minimum(frame["df_these"], 1e9), 1 - ALPHA)
    frame["low_90"], frame["high_90"] = frame["estimate"] - half, frame["estimate"] + half
    rows = frame.to_dict("records")
    seeds = scores.n_seeds
    frame["p_tost"] = [tost(row["estimate"], row["se_these"], row["df_these"], margin) for row in rows]
    frame["verdict"] = [_verdict(row, margin) if replicated else "undecided" for row in rows]
    frame["more_seeds"] = [_more_seeds(row, margin, seeds) if replicated else np.nan for row in rows]
    if not replicated:
        frame["reason"] = [row["reason"] or RUNS_NOT_TOLD_FROM_LEVELS for row in rows]
    return frame


def tost(difference: float, se: float, df: float, margin: float) -> float:
    """Return p of the hypothesis |true value| ≥ margin: the larger of the two one-sided p values."""
    if not se > 0:
        return float("nan")
    return float(stdtr(min(df, 1e9), (abs(difference) - margin) / se))


def overall(pairs: pd.DataFrame) -> str:
    """Return the verdict on all levels: different when any pair is, equivalent when every pair is, else undecided.

    "Every pair" is an intersection–union test, which needs no correction (Berger 1982).
    """
    verdicts = set(pairs["verdict"]) if len(pairs) else set()
    return "different" if "different" in verdicts else "equivalent" if verdicts == {"equivalent"} else "undecided"


def _pair(sets: pd.DataFrame, level: object, reference: object, n_cells: int) -> WeightedSum:
    matched = sets[[level, reference]].dropna()
    labels = {"level": level, "reference": reference, "pairs": len(matched)}
    if matched.empty:
        return WeightedSum(labels, None, NO_MATCH)
    return WeightedSum(labels, mean_weights(matched[level], n_cells) - mean_weights(matched[reference], n_cells))


def _verdict(row: dict[object, float], margin: float) -> str:
    if math.isnan(row["low_90"]):
        return "undecided"
    if -margin < row["low_90"] and row["high_90"] < margin:
        return "equivalent"
    return "different" if row["p_holm"] <= ALPHA else "undecided"


def _more_seeds(row: dict[object, float], margin: float, seeds: int) -> float:
    """Return how many further seeds would make the row equivalent, NaN for none up to `MANY_SEEDS`.

    Every part of the variance on these questions shrinks with 1 / seeds, and its degrees of freedom grow with them.
    """
    room = margin - abs(row["estimate"])
    if math.isnan(row["se_these"]) or room <= 0:
        return float("nan")
    for more in range(MANY_SEEDS):
        factor = (seeds + more) / seeds
        if row["se_these"] / math.sqrt(factor) * stdtrit(min(row["df_these"] * factor, 1e9), 1 - ALPHA) < room:
            return more
    return float("nan")
