"""Estimates that are weighted sums of cells, paired by question: effects, marginal means and slopes alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.tally import Floats, Tally, mean_or_nan
from ablation.analysis.uncertainty import DRAWS, MIN_QUESTIONS, SEED, TOO_FEW, question_intervals

NO_QUESTIONS = "no questions in this tier"


@dataclass(frozen=True)
class Plan:
    """One estimate to make in one scope: Σ weight × rate over cells, then the mean over questions.

    `weights_c` is None when the estimate cannot be made, and `reason` then says why.
    """

    labels: dict[str, Any]
    weights_c: Floats | None
    reason: str = ""


def estimate(tally: Tally, scope: str, plans: Sequence[Plan], draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """One row a plan: its labels, then `tier questions estimate low high reason estimand`.

    Fractions (0.04 = 4 points). A cell whose weight is 0 does not matter, whether complete or not. Resampling depends
    on the sorted questions of the scope alone, so other tiers, cells and plans leave an interval unchanged.
    """
    rates_cq = np.nan_to_num(tally.rates_cq(scope))
    possible = [plan.weights_c is not None and rates_cq.shape[1] > 0 for plan in plans]
    nothing_c = np.zeros(len(rates_cq))
    weights_ec = np.array([nothing_c if plan.weights_c is None else plan.weights_c for plan in plans])
    values_eq = weights_ec.reshape(len(plans), len(rates_cq)) @ rates_cq
    low_e, high_e = question_intervals(values_eq, draws, seed)
    frame = pd.DataFrame([{**plan.labels, "tier": scope, "questions": rates_cq.shape[1]} for plan in plans])
    for name, value_e in (("estimate", np.round(mean_or_nan(values_eq), 12)), ("low", low_e), ("high", high_e)):
        frame[name] = np.where(possible, value_e, np.nan)
    frame["reason"] = [_reason(plan, rates_cq.shape[1]) for plan in plans]
    return frame.assign(estimand=estimand(tally))


def estimand(tally: Tally) -> str:
    """What the intervals are about, in one sentence."""
    seeds = "one training seed, so training-seed variance is not included"
    if tally.n_seeds > 1:
        seeds = f"{tally.n_seeds} training seeds held fixed, so what further seeds would add is not included"
    return f"questions like these; the cells held fixed; {seeds}"


def _reason(plan: Plan, n_questions: int) -> str:
    if plan.reason or n_questions >= MIN_QUESTIONS:
        return plan.reason
    return TOO_FEW if n_questions else NO_QUESTIONS
