"""The Rasch model: one ability per run, one difficulty per question, and the questions that do not fit it."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit, logsumexp

from ablation.analysis.records.load import ALL
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Scores

NODES = 41
EXTREME = "solved by all attempts or by none, so without a finite difficulty"
TOO_FEW_RUNS = "needs three complete runs that differ"
RASCH_COLUMNS = ("question", "tier", "difficulty", "se", "infit", "outfit", "reason")


def rasch(scores: Scores) -> pd.DataFrame:
    """Estimate the difficulty of each question on the log-odds scale (mean 0), one row per question.

    Columns: `question tier difficulty se infit outfit reason`. logit p = θ_run − b_question with c ~ Binomial(n, p) and
    θ ~ N(0, σ²), by marginal maximum likelihood (Bock & Aitkin 1981, Psychometrika 46(4)) with Gauss–Hermite nodes. Infit
    and outfit are mean squares of standardised residuals at the runs' expected abilities: about 1 where the question fits,
    well above 1 where weaker runs solve it and stronger ones do not. NaN with a reason where nothing can be estimated.
    """
    complete_r = np.isfinite(measure(scores, ALL).values_cq).all(axis=1) & (scores.attempts_cq.sum(axis=1) > 0)
    c_rq, n_rq = scores.correct_cq[complete_r].astype(np.float64), scores.attempts_cq[complete_r].astype(np.float64)
    usable_q = (c_rq.sum(axis=0) > 0) & (c_rq.sum(axis=0) < n_rq.sum(axis=0))
    frame = scores.questions.assign(difficulty=np.nan, se=np.nan, infit=np.nan, outfit=np.nan, reason=EXTREME)
    if len(c_rq) < 3 or usable_q.sum() < 2 or np.ptp(c_rq.sum(axis=1)) == 0:
        return frame.assign(reason=TOO_FEW_RUNS)[list(RASCH_COLUMNS)]
    difficulty_q, se_q, ability_r = fit_rasch(c_rq[:, usable_q], n_rq[:, usable_q])
    infit_q, outfit_q = _misfit(c_rq[:, usable_q], n_rq[:, usable_q], ability_r, difficulty_q)
    for name, column_q in (("difficulty", difficulty_q), ("se", se_q), ("infit", infit_q), ("outfit", outfit_q)):
        frame.loc[usable_q, name] = column_q
    frame.loc[usable_q, "reason"] = ""
    return frame[list(RASCH_COLUMNS)]


def fit_rasch(c_rq: Floats, n_rq: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (difficulties with mean 0, their standard errors, expected abilities of the runs)."""
    nodes_i, weights_i = np.polynomial.hermite_e.hermegauss(NODES)
    log_weights_i = np.log(weights_i / weights_i.sum())

    def posterior(log_sd: float, b_q: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (log odds at each node, log likelihood of each run, weight of each node for each run)."""
        eta_iq = np.exp(log_sd) * nodes_i[:, None] - b_q
        log_ri = c_rq @ log_expit(eta_iq).T + (n_rq - c_rq) @ log_expit(-eta_iq).T + log_weights_i
        total_r = logsumexp(log_ri, axis=1)
        return eta_iq, total_r, np.exp(log_ri - total_r[:, None])

    def negative(parameters: Floats) -> tuple[float, Floats]:
        """Return the negative log likelihood and its gradient; the parameters are log σ and then the difficulties."""
        eta_iq, total_r, post_ri = posterior(parameters[0], parameters[1:])
        residual_iq = post_ri.T @ c_rq - expit(eta_iq) * (post_ri.T @ n_rq)
        by_sd = float(residual_iq.sum(axis=1) @ nodes_i * np.exp(parameters[0]))
        return -float(total_r.sum()), -np.array([by_sd, *(-residual_iq.sum(axis=0))])

    # The start is the log odds of each question's rate, kept off 0 and 1.
    rate_q = (c_rq.sum(axis=0) + 0.5) / (n_rq.sum(axis=0) + 1)
    parameters = minimize(negative, np.array([0.0, *-logit(rate_q)]), jac=True, method="L-BFGS-B").x
    eta_iq, _, post_ri = posterior(parameters[0], parameters[1:])
    information_q = (post_ri.T @ n_rq * expit(eta_iq) * expit(-eta_iq)).sum(axis=0)
    centre = parameters[1:].mean()
    ability_r = post_ri @ (np.exp(parameters[0]) * nodes_i) - centre
    return parameters[1:] - centre, 1 / np.sqrt(information_q), ability_r


def _misfit(c_rq: Floats, n_rq: Floats, ability_r: Floats, difficulty_q: Floats) -> tuple[Floats, Floats]:
    """Return (infit, outfit): Σ residual² / Σ variance, and the mean of residual² / variance (Wright & Masters 1982)."""
    p_rq = expit(ability_r[:, None] - difficulty_q)
    variance_rq = np.maximum(n_rq * p_rq * (1 - p_rq), 1e-9)
    squared_rq = (c_rq - n_rq * p_rq) ** 2
    return squared_rq.sum(axis=0) / variance_rq.sum(axis=0), (squared_rq / variance_rq).mean(axis=0)
