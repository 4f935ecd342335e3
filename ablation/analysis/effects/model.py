"""The model table: one regression of all factors at once, as a second look beside the matched contrasts."""

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
    """Log odds of a correct attempt by factor, one row a term and tier: `log_odds se p low high`.

    Generalised estimating equations (Liang & Zeger 1986, Biometrika 73(1)) with the questions as clusters, an
    exchangeable correlation within them (`correlation`) and the bias-reduced covariance for few clusters (Mancl &
    DeRouen 2001, Biometrics 57(1)), t with Q − terms degrees of freedom. Main effects; counts by their doublings, other
    factors against their reference. For questions like these; what training seeds add is not included.
    """
    return pd.DataFrame(
        [row for tier in scores.all_and_tiers for row in _table(scores, tier)], columns=list(MODEL_COLUMNS)
    )


def _table(scores: Scores, tier: str) -> list[dict[str, Any]]:
    cells = comparable(scores, tier)
    rates_cq = scores.rates_cq(tier)[cells.index]
    terms, design_ct = design(cells)
    n_questions = rates_cq.shape[1]
    reason = (
        NO_FACTOR if not terms
        else TOO_FEW_QUESTIONS if n_questions < max(MIN_QUESTIONS, len(terms) + 3)
        else NO_CONTRAST if rates_cq.min() == rates_cq.max() and rates_cq.max() in (0.0, 1.0)
        else ""
    )  # fmt: skip
    fitted = None if reason else _fit(rates_cq, design_ct)
    if fitted is None:
        return [{"tier": tier, **labels, "reason": reason or NOT_FITTED} for labels in terms]
    effect_t, se_t, correlation = fitted
    degrees = n_questions - len(terms) - 1
    half_t = se_t * stdtrit(degrees, (1 + CONFIDENCE) / 2)
    p_t = 2 * stdtr(degrees, -np.abs(effect_t / se_t))
    numbers = zip(effect_t, se_t, p_t, effect_t - half_t, effect_t + half_t, strict=True)
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
    """Labels of the terms, and the design without its constant: one column a term."""
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


def _fit(rates_cq: Floats, design_ct: Floats) -> tuple[Floats, Floats, float] | None:
    """(effects, standard errors, correlation within a question), or None where there is no fit."""
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    n_cells, n_questions = rates_cq.shape
    with_constant = np.column_stack([np.ones(n_cells), design_ct])
    if np.linalg.matrix_rank(with_constant) < with_constant.shape[1]:
        return None
    groups = np.repeat(np.arange(n_questions), n_cells)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = GEE(rates_cq.T.ravel(), np.tile(with_constant, (n_questions, 1)), groups, family=Binomial(),
                        cov_struct=Exchangeable())  # fmt: skip
            found = model.fit(cov_type="bias_reduced")
            effect_t, se_t = (
                np.asarray(found.params)[1:],
                np.asarray(found.bse)[1:],
            )  # computed, and warned of, only here
        except (Warning, ValueError, np.linalg.LinAlgError):
            return None
    return (effect_t, se_t, float(model.cov_struct.dep_params)) if np.isfinite(se_t).all() else None
