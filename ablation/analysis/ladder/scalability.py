"""The scalogram of runs × questions: on a ladder, a run that solves a harder question solves the easier ones."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, CONFIDENCE
from ablation.analysis.records.load import ALL
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Ints, Scores

SOLVED_SHARE = 0.5  # a run solves a question when at least half its attempts do
LADDER_DRAWS = 1_000  # shuffles of the null, and resamples of the interval
LADDER_TOO_SMALL = "needs two complete runs and two questions that some, not all of them solve"


@dataclass(frozen=True)
class Ladder:
    """Mokken's H of the scalogram, with Guttman's coefficients beside it."""

    h: float
    """Mokken's H: 1 on a perfect ladder, about 0 for independent questions."""
    low: float
    """The lower bound of its 95 % interval."""
    high: float
    """The upper bound."""
    p: float
    """The share of shuffled matrices whose H is as large."""
    reproducibility: float
    """Guttman's coefficient of reproducibility."""
    marginal: float
    """Its floor: the minimal marginal reproducibility."""
    scalability: float
    """The coefficient of scalability: what lies between floor and 1."""
    runs: int
    """The number of complete runs."""
    questions: pd.DataFrame
    """One row per question, the easiest first: `question tier solved_by h_question`."""
    steps: pd.DataFrame
    """One row per pair of neighbouring tiers: `lower upper runs solve_upper solve_lower_too`.

    `solve_upper` is how many runs solve the upper tier, `solve_lower_too` the share of those that solve the lower one.
    """
    reason: str = ""
    """The reason why there are no coefficients; empty where there are."""


def ladder(scores: Scores, draws: int = LADDER_DRAWS, seed: int = ANALYSIS_SEED) -> Ladder:
    """Analyse the scalogram of all complete cells × questions, led by Mokken's H.

    The null shuffles each question's column, so that its difficulty stays and its dependence on the runs goes. The interval
    resamples runs. Guttman's reproducibility is shown beside its floor, the minimal marginal reproducibility, because it
    hardly tells a ladder from independent questions of unequal difficulty.
    """
    solved_rq, order_q = _solved(scores)
    questions = scores.questions.iloc[order_q].reset_index(drop=True)
    rate_q = solved_rq.mean(axis=0) if len(solved_rq) else np.full(len(order_q), np.nan)
    questions = questions.assign(solved_by=rate_q)
    steps = _steps(scores)
    if len(solved_rq) < 2 or int(((rate_q > 0) & (rate_q < 1)).sum()) < 2:
        absent = (float("nan"),) * 7
        return Ladder(*absent, len(solved_rq), questions.assign(h_question=np.nan), steps, LADDER_TOO_SMALL)
    rng = np.random.default_rng(seed)
    h = mokken_h(solved_rq)
    # Columns stay in their order, because shuffling within a question leaves its difficulty as it is. Resampled runs change
    # the difficulties, so there the columns are put in order again.
    null = np.array([mokken_h(rng.permuted(solved_rq, axis=0)) for _ in range(draws)])
    resampled = np.array(
        [mokken_h(_easy_first(solved_rq[rng.integers(len(solved_rq), size=len(solved_rq))])) for _ in range(draws)]
    )
    low, high = np.nanquantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) if draws else (np.nan, np.nan)
    # The matrix itself counts as one of the shuffles, so p is never 0.
    p = (1 + int((null >= h - 1e-12).sum())) / (1 + draws)
    reproducibility, floor, scalability = guttman(solved_rq)
    questions = questions.assign(h_question=question_h(solved_rq))
    return Ladder(
        h, float(low), float(high), p, reproducibility, floor, scalability, len(solved_rq), questions, steps
    )  # fmt: skip


def mokken_h(solved_rq: Ints) -> float:
    """Return Loevinger's H of the matrix (columns from easy to hard): 1 − Σ errors / Σ errors expected of independence.

    An error of a pair is a run that solves the harder and not the easier question (Mokken 1971; Sijtsma & Molenaar 2002,
    chapter 4). .3 is taken as weak, .4 as medium, .5 as strong. NaN where no error is possible.

    >>> mokken_h(np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]]))  # a perfect ladder
    1.0
    >>> mokken_h(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]]))  # the third run solves only the hardest
    0.0
    """
    seen_qq, expected_qq = _pair_errors(solved_rq)
    expected = expected_qq.sum()
    return 1 - float(seen_qq.sum()) / float(expected) if expected > 0 else float("nan")


def question_h(solved_rq: Ints) -> Floats:
    """Return H of each question with all others; questions with low values break the ladder."""
    seen_qq, expected_qq = _pair_errors(solved_rq)
    seen_q, expected_q = (pairs.sum(axis=0) + pairs.sum(axis=1) for pairs in (seen_qq, expected_qq))
    return np.where(expected_q > 0, 1 - seen_q / np.where(expected_q > 0, expected_q, 1.0), np.nan)


def guttman(solved_rq: Ints) -> tuple[float, float, float]:
    """Return (reproducibility, its minimum from the margins, scalability) by Goodenough & Edwards' count of errors.

    A run with s solved questions should have solved the s easiest. CR = 1 − errors / entries, MMR = the mean of
    max(p, 1 − p) over questions, CS = (CR − MMR) / (1 − MMR) (Menzel 1953, Public Opinion Quarterly 17(2)).

    >>> guttman(np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]]))  # two errors in nine entries, as many as the margins leave
    (0.7777777777777778, 0.7777777777777778, 0.0)
    """
    n_questions = solved_rq.shape[1]
    ideal_rq = np.arange(n_questions)[None, :] < solved_rq.sum(axis=1, keepdims=True)
    reproducibility = 1 - float((ideal_rq != solved_rq).mean())
    rate_q = solved_rq.mean(axis=0)
    floor = float(np.maximum(rate_q, 1 - rate_q).mean())
    return reproducibility, floor, (reproducibility - floor) / (1 - floor) if floor < 1 else float("nan")


def held_out_h(scores: Scores, seed: int = ANALYSIS_SEED) -> float:
    """Return H with the order of the questions taken from one half of the attempts and the errors counted in the other.

    An order that only fits the noise it was taken from does not survive this. The halves are drawn from the counts
    (hypergeometric), which is the same as splitting exchangeable attempts. NaN with fewer than 4 attempts at a question.
    """
    scores = scores.only(~scores.is_apart_c)
    if scores.attempts_cq.size == 0 or scores.attempts_cq.min() < 4:
        return float("nan")
    rng = np.random.default_rng(seed)
    half_cq = scores.attempts_cq // 2
    first_cq = rng.hypergeometric(scores.correct_cq, scores.attempts_cq - scores.correct_cq, half_cq)
    order_q = np.argsort(-(first_cq / half_cq).mean(axis=0), kind="stable")
    second_cq = (scores.correct_cq - first_cq) / (scores.attempts_cq - half_cq)
    return mokken_h((second_cq >= SOLVED_SHARE).astype(np.int64)[:, order_q])


def _pair_errors(solved_rq: Ints) -> tuple[Floats, Floats]:
    """Return (seen, expected) errors of each pair: row the easier question, column the harder."""
    n_runs, n_questions = solved_rq.shape
    upper = np.triu(np.ones((n_questions, n_questions)), 1)
    as_floats = solved_rq.astype(np.float64)
    seen_qq = (1 - as_floats).T @ as_floats * upper
    rate_q = as_floats.mean(axis=0)
    return seen_qq, n_runs * np.outer(1 - rate_q, rate_q) * upper


def _easy_first(solved_rq: Ints) -> Ints:
    return solved_rq[:, np.argsort(-solved_rq.mean(axis=0), kind="stable")]


def _solved(scores: Scores) -> tuple[Ints, Ints]:
    """Return (solved or not: complete runs × questions, easiest first; the order of the questions)."""
    rates_rq = measure(scores, ALL).values_cq
    rates_rq = rates_rq[np.isfinite(rates_rq).all(axis=1)]
    solved_rq = (rates_rq >= SOLVED_SHARE).astype(np.int64)
    mean_q = solved_rq.mean(axis=0) if len(solved_rq) else np.zeros(solved_rq.shape[1])
    order_q: Ints = np.argsort(-mean_q, kind="stable").astype(np.int64)
    return solved_rq[:, order_q], order_q


def _steps(scores: Scores) -> pd.DataFrame:
    """Return P(lower tier solved | upper tier solved) by pair of tiers; a tier is solved at half its attempts."""
    averages = scores.averages()
    rows = []
    for lower, upper in zip(scores.tiers, scores.tiers[1:], strict=False):
        both = averages[[lower, upper]].dropna()
        climbed = both[both[upper] >= SOLVED_SHARE]
        share = float((climbed[lower] >= SOLVED_SHARE).mean()) if len(climbed) else float("nan")
        rows.append(
            {"lower": lower, "upper": upper, "runs": len(both), "solve_upper": len(climbed), "solve_lower_too": share}
        )
    return pd.DataFrame(rows, columns=["lower", "upper", "runs", "solve_upper", "solve_lower_too"])
