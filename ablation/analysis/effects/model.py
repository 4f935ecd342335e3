"""One regression of all factors at once, as a second look beside the matched contrasts."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from ablation.analysis.effects.uncertainty import CONFIDENCE, MIN_QUESTIONS, TOO_FEW_QUESTIONS
from ablation.analysis.records.matching import REFERENCES, comparable, levels
from ablation.analysis.records.scores import Floats, Scores
from ablation.specs.vocabulary import FACTORS

NO_FACTOR = "no factor has two levels among complete cells"
NO_CONTRAST = "every attempt went one way"
NOT_FITTED = "the fit did not converge"
MODEL_COLUMNS = ("tier", "factor", "level", "reference", "log_odds", "se", "p", "low", "high", "correlation", "reason")


def model_table(scores: Scores) -> pd.DataFrame:
    """Fit the log odds of a correct attempt by factor, one row per term and tier: `log_odds se p low high`.

    Generalised estimating equations (Liang & Zeger 1986, Biometrika 73(1)) with the questions as clusters, an
    exchangeable correlation within them (`correlation`) and the bias-reduced covariance for few clusters (Mancl &
    DeRouen 2001, Biometrics 57(1)), t with Q − terms degrees of freedom. Main effects; a count by its doublings, other
    factors against their reference. For questions like these; the variance that training seeds add is not included.
    """
    return pd.DataFrame(
        [row for tier in scores.all_and_tiers for row in _table(scores, tier)], columns=list(MODEL_COLUMNS)
    )


def _table(scores: Scores, tier: str) -> list[dict[str, Any]]:
    """Return the rows of one tier; with a reason in place of numbers where there is no fit."""
    cells = comparable(scores, tier)
    rates_cq = scores.rates_cq(tier)[cells.index]
    terms, design_cj = design(cells)
    n_questions = rates_cq.shape[1]
    # Without a factor there are no cells to take a minimum of, so that comes first. The clusters are the questions: with
    # hardly more of them than terms the covariance has no degrees of freedom. Rates of all 0 or all 1 have no finite log odds.
    reason = (
        NO_FACTOR if not terms
        else TOO_FEW_QUESTIONS if n_questions < max(MIN_QUESTIONS, len(terms) + 3)
        else NO_CONTRAST if rates_cq.min() == rates_cq.max() and rates_cq.max() in (0.0, 1.0)
        else ""
    )  # fmt: skip
    fitted = None if reason else _fit(rates_cq, design_cj)
    if fitted is None:
        return [{"tier": tier, **labels, "reason": reason or NOT_FITTED} for labels in terms]
    effect_j, se_j, correlation = fitted
    degrees = n_questions - len(terms) - 1
    half_j = se_j * stdtrit(degrees, (1 + CONFIDENCE) / 2)
    p_j = 2 * stdtr(degrees, -np.abs(effect_j / se_j))
    numbers = zip(effect_j, se_j, p_j, effect_j - half_j, effect_j + half_j, strict=True)
    names = ("log_odds", "se", "p", "low", "high")
    return [
        {
            "tier": tier,
            **labels,
            **dict(zip(names, map(float, row), strict=True)),
            "correlation": correlation,
            "reason": "",
        }
        for labels, row in zip(terms, numbers, strict=True)
    ]


def design(cells: pd.DataFrame) -> tuple[list[dict[str, Any]], Floats]:
    """Return (labels of the terms, design without its constant: cells × terms)."""
    labels: list[dict[str, Any]] = []
    columns: list[Floats] = []
    for factor in FACTORS:
        ordered = levels(cells, factor)
        if len(ordered) < 2:
            continue
        if factor == "count":
            labels.append({"factor": factor, "level": "doubling", "reference": None})
            columns.append(np.log2(cells[factor].to_numpy(dtype=np.float64)))
            continue
        reference = REFERENCES[factor] if REFERENCES[factor] in ordered else ordered[0]
        for level in ordered:
            if level != reference:
                labels.append({"factor": factor, "level": level, "reference": reference})
                columns.append(np.asarray(cells[factor] == level, dtype=np.float64))
    return labels, np.stack(columns, axis=1) if columns else np.empty((len(cells), 0))


def _fit(rates_cq: Floats, design_cj: Floats) -> tuple[Floats, Floats, float] | None:
    """Return (effects, standard errors, correlation within a question), or None where there is no fit."""
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    n_cells, n_questions = rates_cq.shape
    with_constant = np.column_stack([np.ones(n_cells), design_cj])
    if np.linalg.matrix_rank(with_constant) < with_constant.shape[1]:
        return None
    groups = np.repeat(np.arange(n_questions), n_cells)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = GEE(rates_cq.T.ravel(), np.tile(with_constant, (n_questions, 1)), groups, family=Binomial(),
                        cov_struct=Exchangeable())  # fmt: skip
            fitted = model.fit(cov_type="bias_reduced")
            # The standard errors are computed, and warned of, only when they are read: so it is done inside.
            effect_j, se_j = np.asarray(fitted.params)[1:], np.asarray(fitted.bse)[1:]
        except (Warning, ValueError, np.linalg.LinAlgError):
            return None
    return (effect_j, se_j, float(model.cov_struct.dep_params)) if np.isfinite(se_j).all() else None
