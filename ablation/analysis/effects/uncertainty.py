"""Errors of weighted sums of cells: the only module that knows how uncertainty is measured.

Two estimands, named wherever an interval is shown. *These questions*: the benchmark is fixed, training and sampling would
be repeated. *Questions like these*: the questions, too, are a sample of those that might have been asked.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from ablation.analysis.effects.replicates import Replicates
from ablation.analysis.records.measures import Measurements
from ablation.analysis.records.scores import Floats, Scores

CONFIDENCE = 0.95  # of every two-sided interval
ALPHA = 0.05  # of every test
BOOTSTRAP_DRAWS = 2_000
ANALYSIS_SEED = 0  # of the analysis's own random draws; it has nothing to do with training seeds
# Even q differences that all point one way come about by chance 2 · 2^−q of the time: above 5 % for fewer than 6.
MIN_QUESTIONS = 6
TOO_FEW_QUESTIONS = f"fewer than {MIN_QUESTIONS} questions: no interval"
NO_QUESTIONS = "no questions in this tier"
NO_VARIATION = "nothing varied, so no error can be estimated"


@dataclass(frozen=True)
class Errors:
    """The uncertainty of each estimate; NaN where it cannot be estimated."""

    se_e: Floats
    """Standard errors."""
    df_e: Floats
    """Their degrees of freedom."""

    def half_width(self, confidence: float = CONFIDENCE) -> Floats:
        """Return t · SE: how far a two-sided interval reaches from the estimate."""
        half: Floats = self.se_e * stdtrit(np.minimum(self.df_e, 1e9), (1 + confidence) / 2)
        return half

    def p_value(self, estimate_e: Floats) -> Floats:
        """Return the two-sided p of the hypothesis that the quantity is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p: Floats = 2 * stdtr(np.minimum(self.df_e, 1e9), -np.abs(estimate_e) / self.se_e)
        return p


def these_questions(weights_ec: Floats, measured: Measurements, seeds: Replicates) -> Errors:
    """Return the error of Σ w · (cell mean) with the questions held fixed: V = Σ w² (sampling variance + seed variance).

    Runs are independent given the questions. The degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2(6)),
    V² / Σ (V_i² / df_i), over the sampling variances and the seeds' component. Without replicated settings the seed
    variance is not included. `weights_ec` has one row of weights per estimate.
    """
    squared_ec = weights_ec**2
    used_ec = np.where(squared_ec > 0, measured.sampling_c, 0.0)  # a cell without weight does not matter
    seed_e = squared_ec @ seeds.scale_c
    variance_e = (squared_ec * used_ec).sum(axis=1) + seeds.run.value * seed_e
    df_c = np.maximum(measured.sampling_df_c, 1)
    uncertainty_e = (2 * (squared_ec * used_ec) ** 2 / df_c).sum(axis=1) + seeds.run.variance * seed_e**2
    return _errors(variance_e, uncertainty_e)


def questions_like_these(weights_ec: Floats, measured: Measurements, seeds: Replicates) -> Errors:
    """Return the error of the same sum when the questions are a sample too: two-way clustering, V = V_q + (V_s − V_qs).

    V_q is the variance of the per-question sums over Q (Miller 2024, arXiv 2411.00640, paired by question). V_s − V_qs
    is what runs add at every question alike (Cameron, Gelbach & Miller 2011; see `replicates`). The error is never below
    that on these very questions, which it contains. Degrees of freedom: V² / (V_q² / (Q − 1) + (V_s − V_qs)² / df). NaN
    with fewer than `MIN_QUESTIONS` questions.
    """
    sums_eq = weights_ec @ np.nan_to_num(measured.values_cq)
    n_questions = sums_eq.shape[1]
    if n_questions < MIN_QUESTIONS:
        return Errors(np.full(len(sums_eq), np.nan), np.full(len(sums_eq), np.nan))
    seed_e = weights_ec**2 @ seeds.scale_c
    between_e = sums_eq.var(axis=1, ddof=1) / n_questions
    variance_e = between_e + seeds.shared.value * seed_e
    # The variance of a variance V with df degrees of freedom is 2 V² / df, so both components add on one scale.
    uncertainty_e = 2 * between_e**2 / (n_questions - 1) + seeds.shared.variance * seed_e**2
    on_these = these_questions(weights_ec, measured, seeds).se_e
    return _errors(np.fmax(variance_e, on_these**2), uncertainty_e)


def _errors(variance_e: Floats, uncertainty_e: Floats) -> Errors:
    """Return SE and df from a variance and twice the sum V_i² / df_i; NaN for a variance of 0."""
    # What rounding leaves of a variance of 0 is no variance: an error of 1e-10 would make any difference certain.
    variance_e = np.where(variance_e > 1e-18, variance_e, np.nan)
    with np.errstate(divide="ignore"):
        df_e = np.where(uncertainty_e > 0, 2 * variance_e**2 / uncertainty_e, np.inf)
    return Errors(np.sqrt(variance_e), np.where(np.isnan(variance_e), np.nan, np.maximum(df_e, 1.0)))


def bootstrap_intervals(
    weights_ec: Floats, measured: Measurements, scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED
) -> tuple[Floats, Floats]:
    """Return (lower, upper) percentile bounds from resampling questions, and seeds within each setting: the cross-check.

    The bootstrap of Efron 1979, with the tails moved out for small samples as a t interval's are (Hesterberg 2015, The
    American Statistician 69(4), section 4.3). All estimates see the same draws. NaN with too few questions, and without
    `draws`.
    """
    values_cq = np.nan_to_num(measured.values_cq)
    n_questions, absent_e = values_cq.shape[1], np.full(len(weights_ec), np.nan)
    if n_questions < MIN_QUESTIONS or draws == 0:
        return absent_e, absent_e
    rng = np.random.default_rng(seed)
    # How often a draw holds each question. Its products with the values are the resampled means, without copies of the data.
    times_drawn_dq = rng.multinomial(n_questions, np.full(n_questions, 1 / n_questions), size=draws)
    means_dc = times_drawn_dq @ values_cq.T / n_questions
    drawn_dc = np.ones_like(means_dc)
    for setting in np.unique(scores.setting_c):
        runs = np.flatnonzero((scores.setting_c == setting) & np.isfinite(measured.means_c))
        # The weights are those of means over runs, so a run that is drawn twice counts twice. A single run has no other to
        # be exchanged with, and stays.
        if len(runs) > 1:
            drawn_dc[:, runs] = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=draws)
    sums_de = (drawn_dc * means_dc) @ weights_ec.T
    tail = expanded_tail(n_questions)
    low_e, high_e = np.quantile(sums_de, [tail, 1 - tail], axis=0)
    # Rounded, so that a sum of thirds that cancel is 0 and not 1e-17.
    return np.round(low_e, 12), np.round(high_e, 12)


def expanded_tail(n_questions: int) -> float:
    """Return the share of draws to cut at each end: Φ(−√(n/(n−1)) · t), with Student's quantile t for n − 1."""
    t = float(stdtrit(n_questions - 1, (1 + CONFIDENCE) / 2))
    return float(ndtr(-math.sqrt(n_questions / (n_questions - 1)) * t))
