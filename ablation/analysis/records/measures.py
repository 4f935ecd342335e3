"""A quantity (avg@n, cov@k, their gap) at each cell and question, and its variance if the attempts were drawn again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from ablation.analysis.records.metrics import avg, cov
from ablation.analysis.records.scores import Floats, Ints, Scores, mean_or_nan

Quantity = Callable[[Floats, int], Floats]
"""A quantity made of counts: (correct attempts, attempts) → value, elementwise in the first."""


@dataclass(frozen=True)
class Measurements:
    """A quantity of each cell (row) at each question (column) of one tier; NaN throughout a cell that is incomplete there."""

    values_cq: Floats
    """The quantity itself, in its own unit."""
    sampling_cq: Floats
    """Its variance if the attempts were drawn again; NaN where a single attempt cannot show it."""
    slope_cq: Floats
    """Its derivative by the log odds of a correct attempt.

    Training seeds are taken to move the log odds about equally. So they move little what is near 0 or 1.
    """
    sampling_df_c: Floats
    """The degrees of freedom behind a cell's sampling variance."""

    @property
    def means_c(self) -> Floats:
        """The mean of each cell over the questions."""
        return mean_or_nan(self.values_cq)

    @property
    def sampling_c(self) -> Floats:
        """The variance of a cell's mean over these questions from its attempts alone: Σ variance / Q²."""
        n_questions = self.values_cq.shape[1]
        return mean_or_nan(self.sampling_cq) / n_questions if n_questions else mean_or_nan(self.sampling_cq)


def average(correct: Floats, attempts: int) -> Floats:
    """Return avg@n."""
    return avg(correct, attempts)


def coverage_at(k: int) -> Quantity:
    """Return the function that gives cov@k.

    >>> coverage_at(2)(np.array([0.0, 1.0, 3.0]), 4)
    array([0. , 0.5, 1. ])
    """
    return lambda correct, attempts: cov(correct, attempts, k)


def gap_at(k: int) -> Quantity:
    """Return the function that gives cov@k − avg@n: what a model can do some of the time, but not reliably."""
    return lambda correct, attempts: cov(correct, attempts, k) - avg(correct, attempts)


def measure(scores: Scores, tier: str, quantity: Quantity = average) -> Measurements:
    """Measure `quantity` at every cell and question of the tier.

    The sampling variance is that of `quantity` over c ~ Binomial(n, p̂) with p̂ = c / n, times n / (n − 1). For avg@n this is
    the unbiased p̂(1 − p̂) / (n − 1); for others it is the variance of the parametric bootstrap, in closed form. Where a cell
    has one attempt per question, p̂ comes from all runs of its setting.
    """
    inside_q = scores.in_tier_q(tier)
    correct_cq, attempts_cq = scores.correct_cq[:, inside_q], scores.attempts_cq[:, inside_q]
    missing_c = np.isnan(scores.rates_cq(tier)).any(axis=1)
    values_cq, sampling_cq, slope_cq = (np.full(correct_cq.shape, np.nan) for _ in range(3))
    for n in np.unique(attempts_cq[attempts_cq > 0]).tolist():
        # Only n + 1 counts can occur at n attempts, so each is computed once and looked up.
        has_n_cq = attempts_cq == n
        value_k, variance_k, slope_k = _by_count(quantity, n)
        correct = correct_cq[has_n_cq]
        values_cq[has_n_cq], sampling_cq[has_n_cq] = value_k[correct], variance_k[correct]
        slope_cq[has_n_cq] = slope_k[correct]
    complete_cq = np.logical_not(missing_c)[:, None]
    _borrow(scores, correct_cq * complete_cq, attempts_cq * complete_cq, sampling_cq, slope_cq)
    for array in (values_cq, sampling_cq, slope_cq):
        array[missing_c] = np.nan
    return Measurements(values_cq, sampling_cq, slope_cq, np.maximum(attempts_cq - 1, 1).sum(axis=1).astype(np.float64))


def _by_count(quantity: Quantity, n: int) -> tuple[Floats, Floats, Floats]:
    """Return (value, sampling variance, slope) for 0 … n correct attempts out of n.

    The slope comes from the variance by the delta method: Var(value) ≈ slope² · Var(log odds), and the log odds of c of n
    have the variance 1 / (n p (1 − p)).
    """
    k = np.arange(n + 1, dtype=np.float64)
    value_k = quantity(k, n)
    # One attempt is right or wrong: p̂ is 1 or 0, and the variance would come out as 0.
    if n == 1:
        return value_k, np.full(2, np.nan), np.full(2, np.nan)
    chance_kk = binom.pmf(k[None, :], n, k[:, None] / n)  # row: the rate that was seen; column: the count drawn
    mean_k = chance_kk @ value_k
    variance_k = np.maximum(chance_kk @ value_k**2 - mean_k**2, 0) * n / (n - 1)
    return value_k, variance_k, np.sqrt(n * variance_k * k / n * (1 - k / n))


def _borrow(scores: Scores, correct_cq: Ints, attempts_cq: Ints, sampling_cq: Floats, slope_cq: Floats) -> None:
    """Fill in, for cells with one attempt per question, what all complete runs of their setting show together.

    One attempt shows no variance. Where a setting has a single run, the entries stay NaN. Changes the last two arrays.
    """
    for setting in np.unique(scores.setting_c[(attempts_cq == 1).any(axis=1)]):
        runs = np.flatnonzero(scores.setting_c == setting)
        n_q, c_q = attempts_cq[runs].sum(axis=0), correct_cq[runs].sum(axis=0)
        rate_q = c_q / np.maximum(n_q, 1)
        spread_q = np.where(n_q > 1, rate_q * (1 - rate_q) * n_q / np.maximum(n_q - 1, 1), np.nan)
        single = attempts_cq[runs] == 1
        sampling_cq[runs] = np.where(single, spread_q, sampling_cq[runs])
        slope_cq[runs] = np.where(single, spread_q, slope_cq[runs])
