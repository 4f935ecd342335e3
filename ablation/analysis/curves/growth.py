"""The growth of P with N: a straight line in log N against a curve that levels off.

In arrays over draws (suffix d) the first entry is the data itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS, CONFIDENCE
from ablation.analysis.records.matching import comparable, levels, matched_sets
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Scores

_BLOCK = 500  # draws at a time
EXPONENTS = np.geomspace(0.05, 3.0, 60)
TOO_FEW_COUNTS = "fewer than 3 counts with a complete matched set"
CANNOT_TELL = "with 4 counts or fewer a line and a saturating curve cannot be told apart"
NO_AICC = "AICc needs 6 counts for a curve of 3 parameters"
GROWTH_COLUMNS = (
    "tier",
    "model",
    "counts",
    "sets",
    "parameter",
    "estimate",
    "low",
    "high",
    "rss",
    "leave_one_out",
    "aicc",
    "reason",
)


@dataclass(frozen=True)
class CurveFit:
    """One model, fitted to every draw."""

    parameters: dict[str, Floats]
    """Name → value in each draw."""
    fitted_dn: Floats
    """The values of the curve at the counts."""


def growth(
    scores: Scores,
    target: float = 0.9,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
    tiers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Fit both models in each tier (in all of them, or in `tiers`), one row per parameter (columns `GROWTH_COLUMNS`).

    `log`: P = a + b · log2 N. `saturating`: P = p_max − k · N^−α, 0 ≤ p_max ≤ 1, k ≥ 0, by variable projection (Golub &
    Pereyra 1973, SIAM J. Numerical Analysis 10(2)): α from a grid, the other two by least squares. Points are means over
    the matched sets that have every count. `count_for_target` is the N at which `target` is reached; infinite where that
    never happens. Intervals: percentile bootstrap over questions and over the sets' runs. `leave_one_out` is the root mean
    square error at counts left out, `aicc` the corrected AIC. Do not read the curves beyond twice the largest N.
    """
    rows: list[dict[str, object]] = []
    for tier in scores.all_and_tiers if tiers is None else tiers:
        counts_n, means_dn, n_sets = curve_draws(scores, tier, draws, seed)
        if len(counts_n) < 3 or n_sets == 0:
            rows.append({"tier": tier, "counts": len(counts_n), "sets": n_sets, "reason": TOO_FEW_COUNTS})
            continue
        for model, fit in (("log", fit_log), ("saturating", fit_saturating)):
            rows += _rows(tier, model, fit(counts_n, means_dn), counts_n, means_dn, n_sets, target)
    return pd.DataFrame(rows, columns=list(GROWTH_COLUMNS))


def fit_log(counts_n: Floats, means_dn: Floats) -> CurveFit:
    """Fit P = a + b · log2 N by ordinary least squares."""
    x_n = np.log2(counts_n)
    centred_n = x_n - x_n.mean()
    slope_d = means_dn @ centred_n / (centred_n @ centred_n)
    start_d = means_dn.mean(axis=1) - slope_d * x_n.mean()
    return CurveFit({"a": start_d, "b": slope_d}, start_d[:, None] + slope_d[:, None] * x_n)


def fit_saturating(counts_n: Floats, means_dn: Floats) -> CurveFit:
    """Fit P = p_max − k · N^−α by least squares under 0 ≤ p_max ≤ 1 and k ≥ 0."""
    # For each exponent of the grid the model is linear in N^−α, so p_max and k have a closed form. N is divided by the
    # smallest count, so that x stays between 0 and 1; k is scaled back at the end.
    x_in = (counts_n[None, :] / counts_n.min()) ** -EXPONENTS[:, None]
    centred_in = x_in - x_in.mean(axis=1, keepdims=True)
    k_di = np.maximum(-(means_dn @ centred_in.T) / (centred_in**2).sum(axis=1), 0.0)
    top_di = means_dn.mean(axis=1)[:, None] + k_di * x_in.mean(axis=1)
    # Where the best top exceeds 1, it is held at 1 and k is fitted again, through that point.
    capped = top_di > 1
    k_di = np.where(capped, np.maximum((1 - means_dn) @ x_in.T / (x_in**2).sum(axis=1), 0.0), k_di)
    top_di = np.where(capped, 1.0, np.maximum(top_di, 0.0))
    rss_di = np.stack(
        [((means_dn - top_di[:, [g]] + k_di[:, [g]] * x_in[g]) ** 2).sum(axis=1) for g in range(len(EXPONENTS))], axis=1
    )
    best_d, draw_d = rss_di.argmin(axis=1), np.arange(len(means_dn))
    top_d, k_d, alpha_d = top_di[draw_d, best_d], k_di[draw_d, best_d], EXPONENTS[best_d]
    fitted_dn = top_d[:, None] - k_d[:, None] * x_in[best_d]
    return CurveFit({"p_max": top_d, "k": k_d * counts_n.min() ** alpha_d, "alpha": alpha_d}, fitted_dn)


def curve_draws(scores: Scores, tier: str, draws: int, seed: int) -> tuple[Floats, Floats, int]:
    """Return (counts, mean rate at each count in the data and in `draws` bootstrap draws, number of matched sets).

    The set means are weighted by multinomial draws of the sets and of the questions, in blocks to save memory.
    """
    cells = comparable(scores, tier)
    ordered = levels(cells, "count")
    sets = matched_sets(cells, "count").reindex(columns=ordered).dropna()
    counts_n = np.array(ordered, dtype=np.float64)
    if sets.empty or not scores.in_tier_q(tier).any():
        return counts_n, np.empty((0, len(counts_n))), 0
    rates = measure(scores, tier).values_cq[sets.to_numpy(dtype=int)]  # sets × counts × questions
    n_sets, _, n_questions = rates.shape
    rng, means_dn = np.random.default_rng(seed), [rates.mean(axis=(0, 2))[None]]
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        sets_ds, questions_dq = (rng.multinomial(n, np.full(n, 1 / n), size=size) / n for n in (n_sets, n_questions))
        drawn = np.tensordot(sets_ds, rates, axes=1)  # draws × counts × questions
        means_dn.append(np.einsum("dnq,dq->dn", drawn, questions_dq))
    return counts_n, np.concatenate(means_dn), n_sets


def _rows(
    tier: str, model: str, curve: CurveFit, counts_n: Floats, means_dn: Floats, n_sets: int, target: float
) -> list[dict[str, object]]:
    """Return the rows of one model: its parameters and the target count, each with its interval."""
    fit = fit_log if model == "log" else fit_saturating
    rss = float(((means_dn[0] - curve.fitted_dn[0]) ** 2).sum())
    parameters = {**curve.parameters, "count_for_target": _count_for(model, curve.parameters, target)}
    shared = {
        "tier": tier, "model": model, "counts": len(counts_n), "sets": n_sets, "rss": rss,
        "leave_one_out": _left_out(fit, counts_n, means_dn[:1]), "aicc": _aicc(rss, len(counts_n), len(curve.parameters)),
    }  # fmt: skip
    reason = CANNOT_TELL if len(counts_n) <= 4 else NO_AICC if len(counts_n) < 6 else ""
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    rows = []
    for name, value_d in parameters.items():
        low, high = np.quantile(value_d[1:], tails, method="nearest") if len(value_d) > 1 else (np.nan, np.nan)
        row = {"parameter": name, "estimate": float(value_d[0]), "low": float(low), "high": float(high)}
        rows.append({**shared, **row, "reason": reason})
    return rows


def _count_for(model: str, parameters: dict[str, Floats], target: float) -> Floats:
    """Return the N at which the curve of each draw reaches the target; infinity where it does not."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if model == "log":
            count_d = 2.0 ** ((target - parameters["a"]) / parameters["b"])
            return np.where(parameters["b"] > 0, count_d, np.inf)
        room_d = parameters["p_max"] - target
        count_d = (parameters["k"] / np.where(room_d > 0, room_d, np.nan)) ** (1 / parameters["alpha"])
    return np.where(room_d > 0, count_d, np.inf)


def _left_out(fit: object, counts_n: Floats, means_1n: Floats) -> float:
    """Return the root mean square error of predicting each count from the others; NaN with fewer than 4."""
    assert callable(fit)
    if len(counts_n) < 4:
        return float("nan")
    errors = []
    for position, count in enumerate(counts_n):
        others = np.arange(len(counts_n)) != position
        p = fit(counts_n[others], means_1n[:, others]).parameters
        value = p["a"] + p["b"] * np.log2(count) if "a" in p else p["p_max"] - p["k"] * count ** -p["alpha"]
        errors.append(float(value[0] - means_1n[0, position]))
    return float(np.sqrt(np.mean(np.square(errors))))


def _aicc(rss: float, n: int, parameters: int) -> float:
    """Return n · ln(RSS / n) + 2p + 2p(p + 1) / (n − p − 1), where p counts the error's variance too (Hurvich & Tsai 1989).

    NaN with too few counts, and for a perfect fit.
    """
    p = parameters + 1
    if n - p - 1 <= 0 or rss <= 0:
        return float("nan")
    return n * float(np.log(rss / n)) + 2 * p + 2 * p * (p + 1) / (n - p - 1)
