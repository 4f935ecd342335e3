"""What is measured at each cell and question, with how far it would move if the attempts alone were drawn again.

Array suffixes: c cell, q question, k number of correct attempts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from ablation.analysis.records.metrics import avg, cov
from ablation.analysis.records.scores import Floats, Ints, Scores, mean_or_nan

OfCounts = Callable[[Floats, int], Floats]  # (correct, attempts) → value, elementwise in the first


@dataclass(frozen=True)
class Measurements:
    """A quantity of each cell (row) at each question (column); NaN throughout a cell that is incomplete in the tier.

    `sampling_cq` is the variance that drawing the attempts again would give it, NaN where a single attempt cannot show
    it. `slope_cq` is how fast it changes with the log odds of a correct attempt: training seeds are taken to move the
    log odds about equally, so they move little what is near 0 or 1. `sampling_df_c` are the degrees of freedom behind
    a cell's sampling variance.
    """

    values_cq: Floats
    sampling_cq: Floats
    slope_cq: Floats
    sampling_df_c: Floats

    @property
    def means_c(self) -> Floats:
        """The mean over questions of each cell."""
        return mean_or_nan(self.values_cq)

    @property
    def sampling_c(self) -> Floats:
        """Variance of a cell's mean over these questions from its attempts alone: Σ variance / Q²."""
        n_questions = self.values_cq.shape[1]
        return mean_or_nan(self.sampling_cq) / n_questions if n_questions else mean_or_nan(self.sampling_cq)


def average(correct: Floats, attempts: int) -> Floats:
    """avg@n."""
    return avg(correct, attempts)


def coverage_at(k: int) -> OfCounts:
    """cov@k."""
    return lambda correct, attempts: cov(correct, attempts, k)


def gap_at(k: int) -> OfCounts:
    """cov@k − avg@n: what a model can do some of the time but not reliably."""
    return lambda correct, attempts: cov(correct, attempts, k) - avg(correct, attempts)


def measure(scores: Scores, tier: str, of: OfCounts = average) -> Measurements:
    """`of` at every cell and question of the tier.

    The sampling variance is that of `of` over c ~ Binomial(n, ĉ/n), times n / (n − 1): for avg@n the unbiased
    p̂(1 − p̂) / (n − 1), for others the parametric bootstrap's in closed form. Where a cell has one attempt a question,
    p̂ comes from all runs of its setting.
    """
    inside_q = scores.in_tier_q(tier)
    correct_cq, attempts_cq = scores.correct_cq[:, inside_q], scores.attempts_cq[:, inside_q]
    missing_c = np.isnan(scores.rates_cq(tier)).any(axis=1)
    values_cq, sampling_cq, slope_cq = (np.full(correct_cq.shape, np.nan) for _ in range(3))
    for n in np.unique(attempts_cq[attempts_cq > 0]).tolist():
        here_cq = attempts_cq == n
        value_k, variance_k, slope_k = _by_count(of, n)
        c = correct_cq[here_cq]
        values_cq[here_cq], sampling_cq[here_cq], slope_cq[here_cq] = value_k[c], variance_k[c], slope_k[c]
    known_cq = np.logical_not(missing_c)[:, None]
    _borrow(scores, correct_cq * known_cq, attempts_cq * known_cq, sampling_cq, slope_cq)
    for array in (values_cq, sampling_cq, slope_cq):
        array[missing_c] = np.nan
    return Measurements(values_cq, sampling_cq, slope_cq, np.maximum(attempts_cq - 1, 1).sum(axis=1).astype(np.float64))


def _by_count(of: OfCounts, n: int) -> tuple[Floats, Floats, Floats]:
    """(value, sampling variance, slope) for 0 … n correct attempts out of n."""
    k = np.arange(n + 1, dtype=np.float64)
    value_k = of(k, n)
    if n == 1:
        return value_k, np.full(2, np.nan), np.full(2, np.nan)
    chance_kk = binom.pmf(k[None, :], n, k[:, None] / n)  # row: the rate that was seen; column: the count drawn
    mean_k = chance_kk @ value_k
    variance_k = np.maximum(chance_kk @ value_k**2 - mean_k**2, 0) * n / (n - 1)
    return value_k, variance_k, np.sqrt(n * variance_k * k / n * (1 - k / n))


def _borrow(scores: Scores, correct_cq: Ints, attempts_cq: Ints, sampling_cq: Floats, slope_cq: Floats) -> None:
    """Give cells with one attempt a question the rate of all complete runs of their setting, where there are several."""
    for arm in np.unique(scores.arm_c[(attempts_cq == 1).any(axis=1)]):
        runs = np.flatnonzero(scores.arm_c == arm)
        n_q, c_q = attempts_cq[runs].sum(axis=0), correct_cq[runs].sum(axis=0)
        rate_q = c_q / np.maximum(n_q, 1)
        spread_q = np.where(n_q > 1, rate_q * (1 - rate_q) * n_q / np.maximum(n_q - 1, 1), np.nan)
        single = attempts_cq[runs] == 1
        sampling_cq[runs] = np.where(single, spread_q, sampling_cq[runs])
        slope_cq[runs] = np.where(single, spread_q, slope_cq[runs])
