"""The full mixed model by Hamiltonian Monte Carlo: optional, slow, and the only table with every random term in it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablation.analysis.effects.model import NO_FACTOR, design
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, CONFIDENCE, MIN_QUESTIONS, TOO_FEW_QUESTIONS
from ablation.analysis.records.matching import comparable
from ablation.analysis.records.scores import Scores
from ablation.errors import UsageError

if TYPE_CHECKING:
    import arviz

LARGEST_R_HAT = 1.01
BAYESIAN_COLUMNS = (
    "tier", "factor", "level", "reference", "log_odds", "sd", "low", "high", "r_hat", "effective_draws", "reason",
)  # fmt: skip
RANDOM_TERMS = "(1|question) + (1|cell) + (1|cell:question)"


def bayesian_model(
    scores: Scores,
    tier: str = "all",
    draws: int = 1000,
    chains: int = 4,
    seed: int = ANALYSIS_SEED,
    target_accept: float = 0.99,
) -> pd.DataFrame:
    """Sample the log odds of a correct attempt by factor, one row per term: posterior mean, SD, equal-tailed 95 % interval.

    Binomial counts of a cell at a question, and the terms of `model_table`. Questions, cells (and so training seeds) and
    cells at questions deviate at random, with bambi's weakly informative priors (Capretto et al. 2022, Journal of
    Statistical Software 103(15)), sampled by NUTS. For questions like these. Draws that did not converge (split R-hat above
    1.01 or a divergence; Vehtari et al. 2021, Bayesian Analysis 16(2)) give NaN and the reason, never an interval.

    Raises UsageError without the extra `bayes`.
    """
    cells = comparable(scores, tier)
    labels, design_cj = design(cells)
    inside_q = scores.in_tier_q(tier)
    n_questions = int(inside_q.sum())
    if (
        reason := NO_FACTOR
        if not labels
        else TOO_FEW_QUESTIONS
        if n_questions < max(MIN_QUESTIONS, len(labels) + 3)
        else ""
    ):
        return pd.DataFrame(
            [{"tier": tier, **term, "reason": reason} for term in labels], columns=list(BAYESIAN_COLUMNS)
        )
    names = [f"x{number}" for number in range(len(labels))]
    table = pd.DataFrame(np.repeat(design_cj, n_questions, axis=0), columns=names).assign(
        cell=pd.Categorical(np.repeat(cells["cell"].to_numpy(), n_questions)),
        question=pd.Categorical(np.tile(scores.questions["question"].to_numpy()[inside_q], len(cells))),
        correct=scores.correct_cq[cells.index][:, inside_q].ravel(),
        attempts=scores.attempts_cq[cells.index][:, inside_q].ravel(),
    )
    sampled = _sampled(table, names, draws, chains, seed, target_accept)
    return pd.DataFrame(_rows(sampled, names, labels, tier), columns=list(BAYESIAN_COLUMNS))


def _sampled(
    table: pd.DataFrame, names: list[str], draws: int, chains: int, seed: int, target_accept: float
) -> "arviz.InferenceData":
    """Sample the model with bambi. Raises UsageError where bambi is absent."""
    try:
        import bambi
    except ImportError as error:
        raise UsageError(
            "a Bayesian model is sampled with bambi, which is not here: pip install 'ablation[bayes]'"
        ) from error
    model = bambi.Model(f"p(correct, attempts) ~ {' + '.join(names)} + {RANDOM_TERMS}", table, family="binomial")
    return model.fit(
        draws=draws, chains=chains, cores=1, random_seed=seed, target_accept=target_accept, progressbar=False
    )


def _rows(
    sampled: "arviz.InferenceData", names: list[str], labels: list[dict[str, Any]], tier: str
) -> list[dict[str, Any]]:
    """Return one row per term; without numbers where the draws did not converge."""
    import arviz

    summary = arviz.summary(sampled, var_names=names, round_to="none")
    divergences = int(sampled["sample_stats"]["diverging"].sum())
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    rows: list[dict[str, Any]] = []
    for name, label in zip(names, labels, strict=True):
        r_hat = float(summary.loc[name, "r_hat"])
        row = {"tier": tier, **label, "r_hat": r_hat, "effective_draws": float(summary.loc[name, "ess_bulk"])}
        if divergences or not r_hat <= LARGEST_R_HAT:
            reason = f"the draws did not converge: R-hat {r_hat:.3f}, {divergences} divergences"
            rows.append(row | {"reason": reason})
            continue
        low, high = np.quantile(sampled["posterior"][name].to_numpy(), tails)
        mean, sd = float(summary.loc[name, "mean"]), float(summary.loc[name, "sd"])
        rows.append(row | {"log_odds": mean, "sd": sd, "low": float(low), "high": float(high), "reason": ""})
    return rows
