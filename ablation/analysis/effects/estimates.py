"""Estimates that are weighted sums of cells, paired by question: effects, marginal means and slopes alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.effects.replicates import Replicates, replicates
from ablation.analysis.effects.uncertainty import (
    ANALYSIS_SEED,
    BOOTSTRAP_DRAWS,
    MIN_QUESTIONS,
    NO_QUESTIONS,
    NO_VARIATION,
    TOO_FEW_QUESTIONS,
    Errors,
    bootstrap_intervals,
    questions_like_these,
    these_questions,
)
from ablation.analysis.records.measures import Measurements, OfCounts, average, measure
from ablation.analysis.records.scores import Floats, Scores, mean_or_nan

NOTHING_COUNTS = "no cell has attempts that count"


@dataclass(frozen=True)
class WeightedSum:
    """One estimate to make in one tier: Σ weight × rate over cells, then the mean over questions.

    `weights_c` is None when the estimate cannot be made, and `reason` then says why.
    """

    labels: dict[str, Any]
    weights_c: Floats | None
    reason: str = ""


def estimate(
    scores: Scores,
    tier: str,
    plans: Sequence[WeightedSum],
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
    of: OfCounts = average,
) -> pd.DataFrame:
    """One row a plan: its labels, then the estimate of `of` with its errors.

    Columns: `tier questions estimate`; for questions like these `se df low high p`; for these very questions
    `se_these df_these low_these high_these p_these`; the bootstrap's `low_bootstrap high_bootstrap` (questions and seeds
    resampled); `reason`, which says why something is NaN, and `estimand`. Fractions (0.04 = 4 points), intervals at 95 %.
    A cell whose weight is 0 does not matter, whether complete or not, except as a replicate that shows what seeds do.
    """
    return estimate_measured(scores, tier, plans, measure(scores, tier, of), draws, seed)


def estimate_measured(
    scores: Scores,
    tier: str,
    plans: Sequence[WeightedSum],
    measured: Measurements,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
) -> pd.DataFrame:
    """`estimate` of a quantity that is measured already, at the questions of the tier; in that quantity's own unit."""
    seeds = replicates(scores, measured)
    n_cells, n_questions = measured.values_cq.shape
    weights_ec = np.zeros((len(plans), n_cells))
    for line, plan in enumerate(plans):
        if plan.weights_c is not None and n_questions:
            weights_ec[line] = plan.weights_c
    possible = np.array([plan.weights_c is not None and n_questions > 0 for plan in plans], dtype=bool)
    sums_eq = weights_ec @ np.nan_to_num(measured.values_cq)
    value_e = np.where(possible, np.round(mean_or_nan(sums_eq), 12), np.nan)
    frame = pd.DataFrame([{**plan.labels, "tier": tier, "questions": n_questions} for plan in plans])
    frame["estimate"] = value_e
    columns = _columns("", value_e, questions_like_these(weights_ec, measured, seeds))
    columns |= _columns("_these", value_e, these_questions(weights_ec, measured, seeds))
    low_e, high_e = bootstrap_intervals(weights_ec, measured, scores, draws, seed)
    for name, column in (columns | {"low_bootstrap": low_e, "high_bootstrap": high_e}).items():
        frame[name] = np.where(possible, column, np.nan)
    empty = NO_QUESTIONS if len(scores.questions) else NOTHING_COUNTS
    frame["reason"] = [_reason(*found, empty) for found in zip(plans, frame.to_dict("records"), strict=True)]
    return frame.assign(estimand=_estimand(scores, seeds))


def estimand(scores: Scores) -> str:
    """What the default intervals are about, in one sentence."""
    return _estimand(scores, replicates(scores, measure(scores, scores.all_and_tiers[0])))


def _estimand(scores: Scores, seeds: Replicates) -> str:
    if seeds.degrees:
        return "questions like these and further training seeds"
    runs = "one training seed" if scores.n_seeds < 2 else "no setting run with two seeds"
    return f"questions like these; {runs}, so training-seed variance is not included"


def _columns(suffix: str, value_e: Floats, errors: Errors) -> dict[str, Floats]:
    half_e = errors.half_width()
    found = {"se": errors.se_e, "df": errors.df_e, "low": value_e - half_e, "high": value_e + half_e}
    return {f"{name}{suffix}": column for name, column in (found | {"p": errors.p_value(value_e)}).items()}


def _reason(plan: WeightedSum, row: dict[Any, Any], empty: str) -> str:
    if plan.reason or not row["questions"]:
        return plan.reason or empty
    if row["questions"] < MIN_QUESTIONS:
        return TOO_FEW_QUESTIONS
    return NO_VARIATION if np.isnan(row["low"]) else ""
