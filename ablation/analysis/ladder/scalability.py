"""Do the questions form a ladder: does who solves a harder one solve the easier ones?

Array suffixes: r row (a trained run), q question, easier questions first where a matrix is called ordered.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, CONFIDENCE
from ablation.analysis.records.load import ALL
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Ints, Scores

SOLVED_SHARE = 0.5  # a run solves a question when at least half its attempts do
LADDER_DRAWS = 1_000
LADDER_TOO_SMALL = "needs two complete runs and two questions that some, not all of them solve"


@dataclass(frozen=True)
class Ladder:
    """`h` with its interval and the share of shuffled matrices that reach it (`p`); Guttman's coefficients beside it.

    `questions`: one row a question: `question tier solved_by h_question`. `steps`: one row a pair of neighbouring tiers:
    how many runs solve the upper tier, and the share of those that solve the lower one too.
    """

    h: float
    low: float
    high: float
    p: float
    reproducibility: float
    marginal: float
    scalability: float
    runs: int
    questions: pd.DataFrame
    steps: pd.DataFrame
    reason: str = ""


def ladder(scores: Scores, draws: int = LADDER_DRAWS, seed: int = ANALYSIS_SEED) -> Ladder:
    """The scalogram of all complete cells × questions, lead by Mokken's H.

    The null shuffles who solves a question within that question, so that its difficulty stays; the interval resamples
    runs. Guttman's reproducibility is shown beside its floor, the minimal marginal reproducibility, because it hardly
    tells a ladder from independent questions of unequal difficulty.
    """
    solved_rq, order_q = _solved(scores)
    questions = scores.questions.iloc[order_q].reset_index(drop=True)
    rate_q = solved_rq.mean(axis=0) if len(solved_rq) else np.full(len(order_q), np.nan)
    questions = questions.assign(solved_by=rate_q)
    steps = _steps(scores)
    if len(solved_rq) < 2 or int(((rate_q > 0) & (rate_q < 1)).sum()) < 2:
        nothing = (float("nan"),) * 7
        return Ladder(*nothing, len(solved_rq), questions.assign(h_question=np.nan), steps, LADDER_TOO_SMALL)
    rng = np.random.default_rng(seed)
    h = mokken_h(solved_rq)
    null = np.array([mokken_h(rng.permuted(solved_rq, axis=0)) for _ in range(draws)])
    again = np.array(
        [mokken_h(_easy_first(solved_rq[rng.integers(len(solved_rq), size=len(solved_rq))])) for _ in range(draws)]
    )
    low, high = np.nanquantile(again, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) if draws else (np.nan, np.nan)
    p = (1 + int((null >= h - 1e-12).sum())) / (1 + draws)
    found, floor, scale = guttman(solved_rq)
    questions = questions.assign(h_question=question_h(solved_rq))
    return Ladder(h, float(low), float(high), p, found, floor, scale, len(solved_rq), questions, steps)


def mokken_h(solved_rq: Ints) -> float:
    """Loevinger's H of the matrix, its columns from easy to hard: 1 − Σ errors / Σ errors expected of independence.

    An error of a pair is a run that solves the harder and not the easier question (Mokken 1971; Sijtsma & Molenaar 2002,
    chapter 4). .3 is taken as weak, .4 as medium, .5 as strong. NaN where no error is possible.
    """
    seen_qq, expected_qq = _pair_errors(solved_rq)
    expected = expected_qq.sum()
    return 1 - float(seen_qq.sum()) / float(expected) if expected > 0 else float("nan")


def question_h(solved_rq: Ints) -> Floats:
    """H of each question with all others; low values are the questions that break the ladder."""
    seen_qq, expected_qq = _pair_errors(solved_rq)
    seen_q, expected_q = (pairs.sum(axis=0) + pairs.sum(axis=1) for pairs in (seen_qq, expected_qq))
    return np.where(expected_q > 0, 1 - seen_q / np.where(expected_q > 0, expected_q, 1.0), np.nan)


def guttman(solved_rq: Ints) -> tuple[float, float, float]:
    """(reproducibility, its minimum from the margins, scalability) by Goodenough & Edwards' count of errors.

    A run with s solved questions should have solved the s easiest; CR = 1 − errors / entries, MMR = the mean of
    max(p, 1 − p) over questions, CS = (CR − MMR) / (1 − MMR) (Menzel 1953, Public Opinion Quarterly 17(2)).
    """
    n_questions = solved_rq.shape[1]
    ideal_rq = np.arange(n_questions)[None, :] < solved_rq.sum(axis=1, keepdims=True)
    found = 1 - float((ideal_rq != solved_rq).mean())
    rate_q = solved_rq.mean(axis=0)
    floor = float(np.maximum(rate_q, 1 - rate_q).mean())
    return found, floor, (found - floor) / (1 - floor) if floor < 1 else float("nan")


def held_out_h(scores: Scores, seed: int = ANALYSIS_SEED) -> float:
    """H with the order of the questions taken from one half of the attempts and the errors counted in the other.

    Against double dipping: an order that only fits the noise it was taken from does not survive. The halves are drawn
    from the counts (hypergeometric), which is the same as splitting exchangeable attempts; NaN with fewer than 4.
    """
    scores = scores.only(~scores.is_apart_c)
    if scores.attempts_cq.size == 0 or scores.attempts_cq.min() < 4:
        return float("nan")
    rng = np.random.default_rng(seed)
    half_cq = scores.attempts_cq // 2
    first_cq = rng.hypergeometric(scores.correct_cq, scores.attempts_cq - scores.correct_cq, half_cq)
    order_q = np.argsort(-(first_cq / half_cq).mean(axis=0), kind="stable")
    rest_cq = (scores.correct_cq - first_cq) / (scores.attempts_cq - half_cq)
    return mokken_h((rest_cq >= SOLVED_SHARE).astype(np.int64)[:, order_q])


def _pair_errors(solved_rq: Ints) -> tuple[Floats, Floats]:
    """(seen, expected) errors of each pair: row the easier question, column the harder."""
    n_runs, n_questions = solved_rq.shape
    upper = np.triu(np.ones((n_questions, n_questions)), 1)
    as_floats = solved_rq.astype(np.float64)
    seen_qq = (1 - as_floats).T @ as_floats * upper
    rate_q = as_floats.mean(axis=0)
    return seen_qq, n_runs * np.outer(1 - rate_q, rate_q) * upper


def _easy_first(solved_rq: Ints) -> Ints:
    return solved_rq[:, np.argsort(-solved_rq.mean(axis=0), kind="stable")]


def _solved(scores: Scores) -> tuple[Ints, Ints]:
    """(complete runs × questions, easiest first; the questions' order)."""
    rates_rq = measure(scores, ALL).values_cq
    rates_rq = rates_rq[np.isfinite(rates_rq).all(axis=1)]
    solved_rq = (rates_rq >= SOLVED_SHARE).astype(np.int64)
    mean_q = solved_rq.mean(axis=0) if len(solved_rq) else np.zeros(solved_rq.shape[1])
    order_q: Ints = np.argsort(-mean_q, kind="stable").astype(np.int64)
    return solved_rq[:, order_q], order_q


def _steps(scores: Scores) -> pd.DataFrame:
    """P(lower tier solved | upper tier solved), a tier being solved at half its attempts."""
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
