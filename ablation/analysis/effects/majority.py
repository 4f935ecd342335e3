"""maj@k of each cell with its errors, from the share of attempts behind each answer."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import stdtrit

from ablation.analysis.effects.uncertainty import (
    ANALYSIS_SEED,
    CONFIDENCE,
    MIN_QUESTIONS,
    NO_QUESTIONS,
    NO_VARIATION,
    TOO_FEW_QUESTIONS,
)
from ablation.analysis.records.load import ALL
from ablation.analysis.records.metrics import NOBODY, RIGHT, maj_of, votes_by_question
from ablation.analysis.records.scores import Floats

VOTE_DRAWS = 500  # of the votes of one question
NO_ANSWERS = "the answers were not recorded, so nobody knows which wrong ones agree"
TOO_FEW_ATTEMPTS = "a question has fewer attempts than k"
MAJORITY_COLUMNS = (
    "cell", "tier", "k", "questions", "estimate", "se_these", "low_these", "high_these", "se", "low", "high", "reason",
)  # fmt: skip


def majority(
    results: pd.DataFrame, tiers: Sequence[str], k: int, draws: int = VOTE_DRAWS, seed: int = ANALYSIS_SEED
) -> pd.DataFrame:
    """Estimate maj@k of each cell and tier over the first k attempts, as `maj_table` does, with both errors.

    `se_these` is the error on these questions: k attempts are drawn again from the shares of the answers among all n
    (parametric bootstrap, `draws` times); normal interval. `se` is SD over questions / √Q, with Student's interval, for
    questions like these. Neither includes training-seed variance. Bounds are kept within 0 and 1. NaN with a reason where
    answers or attempts are missing.
    """
    rng, n_questions = np.random.default_rng(seed), results["question"].nunique()
    rows: list[dict[str, object]] = []
    for cell, questions in votes_by_question(results).items():
        tier_q = np.array([tier for tier, _ in questions])
        votes_q = [votes for _, votes in questions if votes is not None]
        has_answers = len(votes_q) == len(questions)
        # A question that the cell has not reached is absent, so the questions are counted, too.
        enough = has_answers and len(questions) == n_questions and min(map(len, votes_q)) >= k
        reason = NO_ANSWERS if not has_answers else "" if enough else TOO_FEW_ATTEMPTS
        value_q, variance_q = (np.full(len(questions), np.nan) for _ in range(2))
        if enough:
            value_q = np.array([maj_of(votes[:k]) for votes in votes_q])
            variance_q = np.array([_drawn_variance(votes, k, draws, rng) for votes in votes_q])
        for tier in (ALL, *tiers):
            inside_q = (tier_q == tier) | (tier == ALL)
            rows.append({"cell": cell, "tier": tier, "k": k, **_row(value_q[inside_q], variance_q[inside_q], reason)})
    return pd.DataFrame(rows, columns=list(MAJORITY_COLUMNS))


def _drawn_variance(votes: Sequence[str], k: int, draws: int, rng: Generator) -> float:
    """Return the variance of maj@k when the k votes are drawn from the shares of all of them."""
    counts = Counter(votes)
    if len(counts) == 1:
        return 0.0
    drawn_dv = rng.multinomial(k, np.array(list(counts.values())) / len(votes), size=draws)
    voted = np.array([name != NOBODY for name in counts])
    right = np.array([name == RIGHT for name in counts])
    most_d = drawn_dv[:, voted].max(axis=1, initial=0)
    tied_dv = (drawn_dv == most_d[:, None]) & voted & (most_d > 0)[:, None]
    won_d = tied_dv[:, right].sum(axis=1) / np.maximum(tied_dv.sum(axis=1), 1)
    return float(won_d.var())


def _row(value_q: Floats, variance_q: Floats, reason: str) -> dict[str, object]:
    """Return the columns of one cell and tier; what cannot be estimated is absent, and becomes NaN in the table."""
    n_questions = len(value_q)
    if not n_questions or reason:
        return {"questions": n_questions, "reason": reason or NO_QUESTIONS}
    estimate, se_these = float(value_q.mean()), float(np.sqrt(variance_q.sum())) / n_questions
    row: dict[str, object] = {"questions": n_questions, "estimate": estimate, "reason": ""}
    if se_these > 0:
        half = se_these * float(stdtrit(1e9, (1 + CONFIDENCE) / 2))
        row |= {"se_these": se_these, "low_these": max(estimate - half, 0.0), "high_these": min(estimate + half, 1.0)}
    if n_questions < MIN_QUESTIONS:
        return row | {"reason": TOO_FEW_QUESTIONS}
    se = float(value_q.std(ddof=1)) / np.sqrt(n_questions)
    if not se > 0:
        return row | {"reason": NO_VARIATION}
    half = se * float(stdtrit(n_questions - 1, (1 + CONFIDENCE) / 2))
    return row | {"se": se, "low": max(estimate - half, 0.0), "high": min(estimate + half, 1.0)}
