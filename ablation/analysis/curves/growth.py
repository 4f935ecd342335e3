"""How P grows with N: a straight line in log N against a curve that levels off.

Array suffixes: d bootstrap draw (the first is the data), n count, g grid of exponents.
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
    """Parameters by name (each an array over draws), and the values at the counts (draws × counts)."""

    parameters: dict[str, Floats]
    fitted_dn: Floats


def growth(
    scores: Scores,
    target: float = 0.9,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = ANALYSIS_SEED,
    tiers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Both models in each tier (all of them, or `tiers`), one row a parameter: `tier model counts sets parameter
    estimate low high …`.

    `log`: P = a + b · log2 N. `saturating`: P = p_max − k · N^−α, 0 ≤ p_max ≤ 1, k ≥ 0, by variable projection (Golub &
    Pereyra 1973, SIAM J. Numerical Analysis 10(2)): α from a grid, the rest by least squares. Points are means over the
    matched sets that have every count. `count_for_target` is the N at which `target` is reached; it is infinite where
    that never happens. Intervals: percentile bootstrap over questions and over the sets' runs. `leave_one_out` is the
    root mean square error at counts left out, `aicc` the corrected AIC. Beyond twice the largest N nothing is known.
    """
    rows: list[dict[str, object]] = []
    for tier in scores.all_and_tiers if tiers is None else tiers:
        counts_n, means_dn, n_sets = curve_draws(scores, tier, draws, seed)
        if len(counts_n) < 3 or n_sets == 0:
            rows.append({"tier": tier, "counts": len(counts_n), "sets": n_sets, "reason": TOO_FEW_COUNTS})
            continue
        for model, fit in (("log", fit_log), ("saturating", fit_saturating)):
            found = fit(counts_n, means_dn)
            rows += _rows(tier, model, found, counts_n, means_dn, n_sets, target)
    return pd.DataFrame(rows, columns=list(GROWTH_COLUMNS))


def fit_log(counts_n: Floats, means_dn: Floats) -> CurveFit:
    """Ordinary least squares on log2 N."""
    x_n = np.log2(counts_n)
    centred_n = x_n - x_n.mean()
    slope_d = means_dn @ centred_n / (centred_n @ centred_n)
    start_d = means_dn.mean(axis=1) - slope_d * x_n.mean()
    return CurveFit({"a": start_d, "b": slope_d}, start_d[:, None] + slope_d[:, None] * x_n)


def fit_saturating(counts_n: Floats, means_dn: Floats) -> CurveFit:
    """Least squares of p_max − k · N^−α under 0 ≤ p_max ≤ 1 and k ≥ 0."""
    x_gn = (counts_n[None, :] / counts_n.min()) ** -EXPONENTS[:, None]
    centred_gn = x_gn - x_gn.mean(axis=1, keepdims=True)
    k_dg = np.maximum(-(means_dn @ centred_gn.T) / (centred_gn**2).sum(axis=1), 0.0)
    top_dg = means_dn.mean(axis=1)[:, None] + k_dg * x_gn.mean(axis=1)
    capped = top_dg > 1
    k_dg = np.where(capped, np.maximum((1 - means_dn) @ x_gn.T / (x_gn**2).sum(axis=1), 0.0), k_dg)
    top_dg = np.where(capped, 1.0, np.maximum(top_dg, 0.0))
    rss_dg = np.stack(
        [((means_dn - top_dg[:, [g]] + k_dg[:, [g]] * x_gn[g]) ** 2).sum(axis=1) for g in range(len(EXPONENTS))], axis=1
    )
    best_d, lines = rss_dg.argmin(axis=1), np.arange(len(means_dn))
    top_d, k_d, alpha_d = top_dg[lines, best_d], k_dg[lines, best_d], EXPONENTS[best_d]
    fitted_dn = top_d[:, None] - k_d[:, None] * x_gn[best_d]
    return CurveFit({"p_max": top_d, "k": k_d * counts_n.min() ** alpha_d, "alpha": alpha_d}, fitted_dn)


def curve_draws(scores: Scores, tier: str, draws: int, seed: int) -> tuple[Floats, Floats, int]:
    """(counts, mean rate at each count: the data and then `draws` bootstrap draws, number of matched sets)."""
    cells = comparable(scores, tier)
    ordered = levels(cells, "count")
    sets = matched_sets(cells, "count").reindex(columns=ordered).dropna()
    counts_n = np.array(ordered, dtype=np.float64)
    if sets.empty or not scores.in_tier_q(tier).any():
        return counts_n, np.empty((0, len(counts_n))), 0
    rates = measure(scores, tier).values_cq[sets.to_numpy(dtype=int)]  # sets × counts × questions
    n_sets, _, n_questions = rates.shape
    rng, means_dn = np.random.default_rng(seed), [rates.mean(axis=(0, 2))[None]]
    for begun in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - begun)
        sets_ds, questions_dq = (rng.multinomial(n, np.full(n, 1 / n), size=size) / n for n in (n_sets, n_questions))
        drawn = np.tensordot(sets_ds, rates, axes=1)  # draws × counts × questions
        means_dn.append(np.einsum("dnq,dq->dn", drawn, questions_dq))
    return counts_n, np.concatenate(means_dn), n_sets


def _rows(
    tier: str, model: str, found: CurveFit, counts_n: Floats, means_dn: Floats, n_sets: int, target: float
) -> list[dict[str, object]]:
    fit = fit_log if model == "log" else fit_saturating
    rss = float(((means_dn[0] - found.fitted_dn[0]) ** 2).sum())
    parameters = {**found.parameters, "count_for_target": _count_for(model, found.parameters, target)}
    shared = {
        "tier": tier, "model": model, "counts": len(counts_n), "sets": n_sets, "rss": rss,
        "leave_one_out": _left_out(fit, counts_n, means_dn[:1]), "aicc": _aicc(rss, len(counts_n), len(found.parameters)),
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if model == "log":
            count_d = 2.0 ** ((target - parameters["a"]) / parameters["b"])
            return np.where(parameters["b"] > 0, count_d, np.inf)
        room_d = parameters["p_max"] - target
        count_d = (parameters["k"] / np.where(room_d > 0, room_d, np.nan)) ** (1 / parameters["alpha"])
    return np.where(room_d > 0, count_d, np.inf)


def _left_out(fit: object, counts_n: Floats, means_1n: Floats) -> float:
    """Root mean square error of predicting each count from the others; NaN with fewer than 4."""
    assert callable(fit)
    if len(counts_n) < 4:
        return float("nan")
    errors = []
    for place, count in enumerate(counts_n):
        others = np.arange(len(counts_n)) != place
        found = fit(counts_n[others], means_1n[:, others]).parameters
        value = (
            found["a"] + found["b"] * np.log2(count)
            if "a" in found
            else found["p_max"] - found["k"] * count ** -found["alpha"]
        )
        errors.append(float(value[0] - means_1n[0, place]))
    return float(np.sqrt(np.mean(np.square(errors))))


def _aicc(rss: float, n: int, parameters: int) -> float:
    """n · ln(RSS / n) + 2p + 2p(p + 1) / (n − p − 1), p counting the error's variance (Hurvich & Tsai 1989)."""
    p = parameters + 1
    if n - p - 1 <= 0 or rss <= 0:
        return float("nan")
    return n * float(np.log(rss / n)) + 2 * p + 2 * p * (p + 1) / (n - p - 1)
