"""avg@n, cov@k and the gap between them for each setting, its runs taken together; and the errors of single cells."""

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS, CONFIDENCE, MIN_QUESTIONS
from ablation.analysis.records.load import ALL
from ablation.analysis.records.matching import mean_weights
from ablation.analysis.records.measures import Quantity, average, coverage_at, gap_at, measure
from ablation.analysis.records.scores import Floats, Mask, Scores

EXACT_INTERVAL = "nothing varied: the exact binomial interval of all its attempts"
NO_RUN = "no complete run"
OTHER_EVALUATOR = "no complete run of the evaluator that most cells have"


def common_k(scores: Scores) -> int:
    """Return the largest k that every question of every complete cell allows; cells can be compared at one k alone."""
    complete_c = np.isfinite(scores.rates_cq(ALL)).all(axis=1)
    attempts_cq = scores.attempts_cq[complete_c & (scores.attempts_cq > 0).all(axis=1)]
    return int(attempts_cq.min()) if attempts_cq.size else 1


def conditions(
    scores: Scores, k: int | None = None, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED
) -> pd.DataFrame:
    """Estimate each setting's mean over its complete runs, one row per setting, tier and measure.

    The measures are `avg`, `cov` and `gap` = cov − avg. Columns: the factors, `runs measure k`, and those of `estimate`.
    `k` is `common_k` unless stated. Where every attempt went one way there is no variance to estimate from. avg then has
    the exact binomial interval on these questions (Clopper & Pearson 1934; conservative for unequal rates by Hoeffding
    1956), which does not include training seeds.
    """
    k = k or common_k(scores)
    measures: dict[str, Quantity] = {"avg": average, "cov": coverage_at(k), "gap": gap_at(k)}
    frames = [
        estimate(scores, tier, _sums(scores, tier, {"measure": name, "k": k}), draws, seed, quantity)
        for tier in scores.all_and_tiers
        for name, quantity in measures.items()
    ]
    return _with_exact(scores, pd.concat(frames, ignore_index=True))


def cell_errors(scores: Scores) -> pd.DataFrame:
    """Return the standard errors of each cell, one row per cell.

    `avg_{tier}_se` and `cov_{tier}_se` (with k = n) come from its attempts alone, on these questions. `…_se_questions` is
    SD over questions / √Q, for questions like these. Neither includes training-seed variance. NaN where nothing varied,
    and for questions like these with fewer than 6 of them.
    """
    columns: dict[str, object] = {"cell": scores.cells["cell"].tolist()}
    for tier in scores.all_and_tiers:
        for name, quantity in (("avg", average), ("cov", _solved_at_all)):
            measured = measure(scores, tier, quantity)
            n_questions = measured.values_cq.shape[1]
            enough = n_questions >= MIN_QUESTIONS
            between_c = measured.values_cq.var(axis=1, ddof=1) if enough else np.full(len(scores.cells), np.nan)
            columns[f"{name}_{tier}_se"] = _positive(np.sqrt(measured.sampling_c))
            columns[f"{name}_{tier}_se_questions"] = _positive(np.sqrt(between_c / max(n_questions, 1)))
    return pd.DataFrame(columns)


def exact_interval(correct: int, attempts: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Clopper & Pearson's interval of a proportion (1934, Biometrika 26(4)), from the Beta quantiles.

    NaN without attempts.
    """
    if attempts == 0:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low = betaincinv(correct, attempts - correct + 1, tail) if correct else 0.0
    high = betaincinv(correct + 1, attempts - correct, 1 - tail) if correct < attempts else 1.0
    return float(low), float(high)


def _solved_at_all(correct: Floats, attempts: int) -> Floats:
    return coverage_at(attempts)(correct, attempts)


def _positive(error_c: Floats) -> Floats:
    return np.where(error_c > 0, error_c, np.nan)


def _sums(scores: Scores, tier: str, labels: dict[str, object]) -> list[WeightedSum]:
    complete_c: Mask = np.asarray(np.isfinite(scores.rates_cq(tier)).all(axis=1), dtype=bool)
    return setting_means(scores, complete_c, labels, NO_RUN)


def setting_means(scores: Scores, complete_c: Mask, labels: dict[str, object], reason: str) -> list[WeightedSum]:
    """Return the mean over the complete runs of each setting, not yet estimated; `reason` for settings without any."""
    means = []
    for setting in scores.settings:
        runs = setting.rows[complete_c[setting.rows]]
        weights_c = mean_weights(pd.Index(runs), len(scores.cells)) if len(runs) else None
        row_labels = {"arm": setting.number, **setting.levels, "runs": len(runs), **labels}
        absence = OTHER_EVALUATOR if scores.is_apart_c[setting.rows].any() else reason
        means.append(WeightedSum(row_labels, weights_c, "" if len(runs) else absence))
    return means


def _with_exact(scores: Scores, frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of avg whose attempts all went one way the exact binomial interval on these questions."""
    for row in frame.index[(frame["measure"] == "avg") & frame["estimate"].isin([0.0, 1.0])]:
        tier = str(frame.at[row, "tier"])
        runs = np.flatnonzero(
            (scores.setting_c == frame.at[row, "arm"]) & np.isfinite(scores.rates_cq(tier)).all(axis=1)
        )
        inside_q = scores.in_tier_q(tier)
        correct, attempts = (
            int(counts[np.ix_(runs, inside_q)].sum()) for counts in (scores.correct_cq, scores.attempts_cq)
        )
        frame.loc[row, ["low_these", "high_these"]] = exact_interval(correct, attempts)
        frame.loc[row, "reason"] = EXACT_INTERVAL
    return frame
