"""P against N: the points that are drawn, and the slope of P = a + b · log2 N."""

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
    """b of P = a + b · log2 N, one row a (length, style) and tier, and one over all of them (length and style None).

    Least squares within sets of cells that differ in N alone (each set has its own a). Columns: `length style sets
    counts`, how many sets were used and distinct N among them, and those of `estimate`.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        plans = [_slope({"length": None, "style": None}, cells, scores)]
        plans += [_slope(labels, _of(cells, labels), scores) for labels in series(scores)]
        frames.append(estimate(scores, tier, plans, draws, seed))
    return pd.concat(frames, ignore_index=True)


def curves(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """avg@n by N along each (length, style) and tier, one row a point, over one and the same sets for a whole line.

    Columns: `length style count cells` and those of `estimate`.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        plans = [plan for labels in series(scores) for plan in _points(labels, _of(cells, labels), len(scores.cells))]
        if plans:
            frames.append(estimate(scores, tier, plans, draws, seed))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def series(scores: Scores) -> list[dict[str, object]]:
    """The (length, style) combinations that were planned, as labels."""
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
    found = {**labels, "sets": len(sets), "counts": sets.shape[1]}
    if sets.empty:
        return WeightedSum(found, None, NO_MATCH if len(levels(scores.cells, "count")) > 1 else ONE_LEVEL)
    return WeightedSum(found, slope_weights(sets, len(scores.cells)))


def slope_weights(sets: pd.DataFrame, n_cells: int) -> Floats:
    """Weights whose sum over cells is Σ (x − x̄) y / Σ (x − x̄)², x = log2 N centred within each set (row)."""
    present = sets.notna().to_numpy()
    x = np.where(present, np.log2(sets.columns.to_numpy(dtype=float)), np.nan)
    centred = x - np.nanmean(x, axis=1, keepdims=True)
    weights_c = np.zeros(n_cells)
    weights_c[sets.to_numpy()[present].astype(int)] = centred[present] / np.nansum(centred**2)
    return weights_c


def fitted(points: pd.DataFrame) -> pd.DataFrame:
    """Both models of `growth` through each line of `curves`, at `CURVE_POINTS` counts from its first to its last.

    Columns: `length style tier model count estimate`. A line has no fit with fewer counts than `MIN_COUNTS`.
    """
    found = []
    for labels, line in points.groupby(["length", "style", "tier"], sort=False):
        counts_n = line["count"].to_numpy(dtype=np.float64)
        means_1n = line["estimate"].to_numpy(dtype=np.float64)[None, :]
        along = np.geomspace(counts_n.min(), counts_n.max(), CURVE_POINTS)
        for model, least in MIN_COUNTS.items():
            if len(counts_n) < least:
                continue
            if model == "log":
                p = fit_log(counts_n, means_1n).parameters
                values = p["a"][0] + p["b"][0] * np.log2(along)
            else:
                p = fit_saturating(counts_n, means_1n).parameters
                values = p["p_max"][0] - p["k"][0] * along ** -p["alpha"][0]
            drawn = pd.DataFrame({"count": along, "estimate": values})
            told: dict[str, Any] = dict(zip(("length", "style", "tier"), labels, strict=True))
            found.append(drawn.assign(**told, model=model))
    columns = ["length", "style", "tier", "model", "count", "estimate"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
