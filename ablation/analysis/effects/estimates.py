"""Estimates that are weighted sums of cells, paired by question: contrasts, marginal means and slopes alike."""

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
from ablation.analysis.records.measures import Measurements, Quantity, average, measure
from ablation.analysis.records.scores import Floats, Scores, mean_or_nan

NOTHING_COUNTS = "no cell has attempts that count"


@dataclass(frozen=True)
class WeightedSum:
    """One quantity to estimate in one tier: Σ weight × rate over cells, then the mean over questions.

    Weights that sum to 0 make a contrast of cells, weights that sum to 1 a mean of cells.
    """

    labels: dict[str, Any]
    """Columns of the table that say what is estimated: factor, level, reference and so on."""
    weights_c: Floats | None
    """None when the estimate cannot be made."""
    reason: str = ""
    """The reason why it cannot be made."""


def estimate(
    scores: Scores,
    tier: str,
    sums: Sequence[WeightedSum],
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
    quantity: Quantity = average,
) -> pd.DataFrame:
    """Estimate weighted sums of `quantity` (avg@n unless stated) in one tier, with their errors; one row per sum.

    Columns: its labels; `tier questions estimate`; for questions like these `se df low high p`; for these very questions
    `se_these df_these low_these high_these p_these`; the bootstrap's `low_bootstrap high_bootstrap` (questions and seeds
    resampled); `reason`, which says why something is NaN; and `estimand`. Fractions (0.04 = 4 points), intervals at 95 %.
    A cell whose weight is 0 does not matter, complete or not, except as a replicate that shows the seeds' variance.

    Three questions, two cells with the rates (1, ½, 0) and (½, ½, ½), and the contrast of the first with the second:

        weights_c   (+1, −1)
        by question (+½, 0, −½)     the differences are taken question by question
        estimate    0               their mean; `se` comes from their spread, `se_these` from the attempts alone
    """
    return estimate_measured(scores, tier, sums, measure(scores, tier, quantity), draws, seed)


def estimate_measured(
    scores: Scores,
    tier: str,
    sums: Sequence[WeightedSum],
    measured: Measurements,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
) -> pd.DataFrame:
    """Estimate as `estimate` does, from a quantity that is measured already at the questions of the tier; in its own unit."""
    seeds = replicates(scores, measured)
    n_cells, n_questions = measured.values_cq.shape
    weights_ec = np.zeros((len(sums), n_cells))
    for row, weighted in enumerate(sums):
        if weighted.weights_c is not None and n_questions:
            weights_ec[row] = weighted.weights_c
    # A sum without weights, and every sum in a tier without questions, is carried along as zeros and becomes NaN at the end.
    possible_e = np.array([weighted.weights_c is not None and n_questions > 0 for weighted in sums], dtype=bool)
    # Incomplete cells are NaN throughout and have no weight, but 0 · NaN would be NaN.
    sums_eq = weights_ec @ np.nan_to_num(measured.values_cq)
    # Rounded, so that a sum of thirds that cancel is 0 and not 1e-17.
    value_e = np.where(possible_e, np.round(mean_or_nan(sums_eq), 12), np.nan)
    frame = pd.DataFrame([{**weighted.labels, "tier": tier, "questions": n_questions} for weighted in sums])
    frame["estimate"] = value_e
    columns = _columns("", value_e, questions_like_these(weights_ec, measured, seeds))
    columns |= _columns("_these", value_e, these_questions(weights_ec, measured, seeds))
    low_e, high_e = bootstrap_intervals(weights_ec, measured, scores, draws, seed)
    for name, column in (columns | {"low_bootstrap": low_e, "high_bootstrap": high_e}).items():
        frame[name] = np.where(possible_e, column, np.nan)
    empty = NO_QUESTIONS if len(scores.questions) else NOTHING_COUNTS
    rows = frame.to_dict("records")
    frame["reason"] = [_reason(weighted, row, empty) for weighted, row in zip(sums, rows, strict=True)]
    return frame.assign(estimand=_estimand(scores, seeds))


def estimand(scores: Scores) -> str:
    """Return one sentence that says for which questions and seeds the default intervals hold."""
    return _estimand(scores, replicates(scores, measure(scores, scores.all_and_tiers[0])))


def _estimand(scores: Scores, seeds: Replicates) -> str:
    if seeds.degrees:
        return "questions like these and further training seeds"
    runs = "one training seed" if scores.n_seeds < 2 else "no setting run with two seeds"
    return f"questions like these; {runs}, so training-seed variance is not included"


def _columns(suffix: str, value_e: Floats, errors: Errors) -> dict[str, Floats]:
    half_e = errors.half_width()
    columns = {
        "se": errors.se_e, "df": errors.df_e, "low": value_e - half_e, "high": value_e + half_e, "p": errors.p_value(value_e),
    }  # fmt: skip
    return {f"{name}{suffix}": column_e for name, column_e in columns.items()}


def _reason(weighted: WeightedSum, row: dict[Any, Any], empty: str) -> str:
    if weighted.reason or not row["questions"]:
        return weighted.reason or empty
    if row["questions"] < MIN_QUESTIONS:
        return TOO_FEW_QUESTIONS
    return NO_VARIATION if np.isnan(row["low"]) else ""
