"""P against N: the points of the figures, and the slope of P = a + b · log2 N."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.curves.growth import fit_log, fit_saturating
from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.factor_effects import NO_MATCH, ONE_LEVEL
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.records.matching import comparable, levels, matched_sets, mean_weights
from ablation.analysis.records.scores import Floats, Scores

NO_COMMON_SET = "no category and seed has every count of this line complete"
MIN_COUNTS = {"log": 3, "saturating": 5}  # with fewer a curve says nothing that its points do not
CURVE_POINTS = 25


def points_per_doubling(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Estimate b of P = a + b · log2 N, one row per (length, style) and tier, and one over all of them (both None).

    Least squares within sets of cells that differ in N alone (each set has its own a). Columns: `length style`, the number
    of `sets` used and of distinct `counts` among them, and those of `estimate`.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        slopes = [_slope({"length": None, "style": None}, cells, scores)]
        slopes += [_slope(labels, _of(cells, labels), scores) for labels in series(scores)]
        frames.append(estimate(scores, tier, slopes, draws, seed))
    return pd.concat(frames, ignore_index=True)


def curves(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Estimate avg@n by N along each (length, style) and tier, one row per point.

    All points of a line are means over the same matched sets. Columns: `length style count cells` and those of `estimate`.
    Empty where no line was planned.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        sums = [mean for labels in series(scores) for mean in _points(labels, _of(cells, labels), len(scores.cells))]
        if sums:
            frames.append(estimate(scores, tier, sums, draws, seed))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def series(scores: Scores) -> list[dict[str, object]]:
    """Return the (length, style) combinations that were planned, as labels."""
    planned = set(scores.cells[["length", "style"]].itertuples(index=False, name=None))
    ordered = product(levels(scores.cells, "length"), levels(scores.cells, "style"))
    return [{"length": length, "style": style} for length, style in ordered if (length, style) in planned]


def _of(cells: pd.DataFrame, labels: dict[str, object]) -> pd.DataFrame:
    return cells[(cells["length"] == labels["length"]) & (cells["style"] == labels["style"])]


def _points(labels: dict[str, object], cells: pd.DataFrame, n_cells: int) -> list[WeightedSum]:
    counts = levels(cells, "count")
    sets = matched_sets(cells, "count").reindex(columns=counts).dropna()
    point_labels = [{**labels, "count": count, "cells": len(sets)} for count in counts]
    if sets.empty:
        return [WeightedSum(label, None, NO_COMMON_SET) for label in point_labels]
    return [WeightedSum(label, mean_weights(sets[label["count"]], n_cells)) for label in point_labels]


def _slope(labels: dict[str, object], cells: pd.DataFrame, scores: Scores) -> WeightedSum:
    sets = matched_sets(cells, "count")
    sets = sets[sets.notna().sum(axis=1) > 1].dropna(axis="columns", how="all")
    labels = {**labels, "sets": len(sets), "counts": sets.shape[1]}
    if sets.empty:
        return WeightedSum(labels, None, NO_MATCH if len(levels(scores.cells, "count")) > 1 else ONE_LEVEL)
    return WeightedSum(labels, slope_weights(sets, len(scores.cells)))


def slope_weights(sets: pd.DataFrame, n_cells: int) -> Floats:
    """Return weights whose sum over cells is Σ (x − x̄) y / Σ (x − x̄)², with x = log2 N centred within each set (row)."""
    present = sets.notna().to_numpy()
    x = np.where(present, np.log2(sets.columns.to_numpy(dtype=float)), np.nan)
    centred = x - np.nanmean(x, axis=1, keepdims=True)
    weights_c = np.zeros(n_cells)
    weights_c[sets.to_numpy()[present].astype(int)] = centred[present] / np.nansum(centred**2)
    return weights_c


def fitted(points: pd.DataFrame) -> pd.DataFrame:
    """Fit both models of `growth` through each line of `curves`, at `CURVE_POINTS` counts from its first to its last.

    Columns: `length style tier model count estimate`. A line with fewer counts than `MIN_COUNTS` has no fit.
    """
    frames = []
    for labels, line in points.groupby(["length", "style", "tier"], sort=False):
        counts_n = line["count"].to_numpy(dtype=np.float64)
        means_1n = line["estimate"].to_numpy(dtype=np.float64)[None, :]
        grid = np.geomspace(counts_n.min(), counts_n.max(), CURVE_POINTS)
        for model, least in MIN_COUNTS.items():
            if len(counts_n) < least:
                continue
            if model == "log":
                p = fit_log(counts_n, means_1n).parameters
                values = p["a"][0] + p["b"][0] * np.log2(grid)
            else:
                p = fit_saturating(counts_n, means_1n).parameters
                values = p["p_max"][0] - p["k"][0] * grid ** -p["alpha"][0]
            curve = pd.DataFrame({"count": grid, "estimate": values})
            columns: dict[str, Any] = dict(zip(("length", "style", "tier"), labels, strict=True))
            frames.append(curve.assign(**columns, model=model))
    names = ["length", "style", "tier", "model", "count", "estimate"]
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)
