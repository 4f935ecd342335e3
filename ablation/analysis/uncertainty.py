"""Intervals for means over questions: the one place that knows how uncertainty is measured.

Array suffixes: e estimate, q question, d bootstrap draw.
"""

import math

import numpy as np
from scipy.special import ndtr, stdtrit

from ablation.analysis.tally import Floats

LEVEL = 0.95
DRAWS = 2_000
SEED = 0
# Even q differences that all point one way come about by chance 2 · 2^−q of the time: above 5 % for fewer than 6.
MIN_QUESTIONS = 6
TOO_FEW = f"fewer than {MIN_QUESTIONS} questions: no interval"


def question_intervals(values_eq: Floats, draws: int = DRAWS, seed: int = SEED) -> tuple[Floats, Floats]:
    """Bootstrap intervals over questions, lower and upper, for the mean of each line of `values_eq`.

    Percentile intervals (Efron 1979), with the tails moved out for small samples as a t interval's are (Hesterberg
    2015, The American Statistician 69(4), section 4.3). Every line is resampled with the same questions. NaN with too
    few questions.
    """
    n_estimates, n_questions = values_eq.shape
    if n_questions < MIN_QUESTIONS or n_estimates == 0:
        return np.full(n_estimates, np.nan), np.full(n_estimates, np.nan)
    rng = np.random.default_rng(seed)
    times_drawn_dq = rng.multinomial(n_questions, np.full(n_questions, 1 / n_questions), size=draws)
    means_de = times_drawn_dq @ values_eq.T / n_questions
    tail = expanded_tail(n_questions)
    low_e, high_e = np.quantile(means_de, [tail, 1 - tail], axis=0)
    return np.round(low_e, 12), np.round(high_e, 12)  # a sum of thirds that cancel is 0, not 1e-17


def expanded_tail(n_questions: int) -> float:
    """The share of draws to cut at each end: Φ(−√(n/(n−1)) · t), t being Student's quantile for n − 1."""
    t = float(stdtrit(n_questions - 1, (1 + LEVEL) / 2))
    return float(ndtr(-math.sqrt(n_questions / (n_questions - 1)) * t))
