"""cov@k of each cell for growing k: unbiased over all attempts, and of the first k attempts as the study counts it."""

import numpy as np
import pandas as pd

from ablation.analysis.records.load import Study
from ablation.analysis.records.metrics import answers_recorded, cov
from ablation.analysis.records.scores import Floats, Mask, Scores, mean_or_nan

GROWING_K_COLUMNS = ("cell", "tier", "k", "cov", "cov_prefix")


def growing_k(study: Study, scores: Scores) -> pd.DataFrame:
    """Return one row per cell, tier and k = 1, 2, 4 … n, with cov@k in two forms.

    `cov` is the mean of `metrics.cov` over questions. `cov_prefix` is the mean of `metrics.cov_prefix`: the same
    expectation, more noise. Both are NaN where a cell has no rates. `cov_prefix` is also NaN where only counts were
    recorded, since counts have no order.
    """
    first_cq, n = _first_correct(study, scores), scores.n_attempts
    frames = []
    for tier in scores.all_and_tiers:
        inside_q = scores.in_tier_q(tier)
        lacking_c: Mask = np.logical_or(np.isnan(scores.rates_cq(tier)).any(axis=1), not inside_q.any())
        for k in sorted({n, *(1 << power for power in range(n.bit_length()))}):
            among_all_cq = cov(scores.correct_cq[:, inside_q], scores.attempts_cq[:, inside_q], k)
            among_first_cq = np.where(np.isnan(first_cq), np.nan, first_cq < k)[:, inside_q]
            among_first_cq[scores.attempts_cq[:, inside_q] < k] = np.nan
            values = {"cov": among_all_cq, "cov_prefix": among_first_cq}
            columns = {name: _means(values_cq, lacking_c) for name, values_cq in values.items()}
            frames.append(pd.DataFrame({"cell": scores.cells["cell"], "tier": tier, "k": k, **columns}))
    return pd.concat(frames, ignore_index=True)[list(GROWING_K_COLUMNS)]


def _means(values_cq: Floats, lacking_c: Mask) -> Floats:
    means_c = np.full(len(values_cq), np.nan)
    means_c[~lacking_c] = mean_or_nan(values_cq[~lacking_c])
    return means_c


def _first_correct(study: Study, scores: Scores) -> Floats:
    """Return how many attempts precede the first correct one (cells × questions).

    Infinity where no attempt is correct, NaN throughout where the order of the attempts was not recorded.
    """
    results, shape = study.results.sort_values("attempt", kind="stable"), scores.correct_cq.shape
    if not answers_recorded(results):
        return np.full(shape, np.nan)
    order = results.groupby(["cell", "question"], sort=False).cumcount().to_numpy()
    rows, columns = (
        pd.Index(names.astype(str)).get_indexer(pd.Index(results[name].astype(str)))
        for name, names in (("cell", scores.cells["cell"]), ("question", scores.questions["question"]))
    )
    first_cq, right = np.full(shape, np.inf), (results["verdict"] == "correct").to_numpy(dtype=bool)
    np.minimum.at(first_cq, (rows[right], columns[right]), order[right])
    return first_cq
