"""The effect of each factor: contrasts and marginal means over matched cells, paired by question.

A design need be neither full nor balanced. Only cells that agree in every other factor and in their seeds are compared,
so an effect of another factor is never credited to a level.
"""

import pandas as pd

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.records.matching import comparable, level_pairs, levels, matched_sets, mean_weights, usable
from ablation.analysis.records.scores import Scores
from ablation.specs.vocabulary import FACTORS

TRAINING = "training"  # the contrast of all trained cells with the base model
ONE_LEVEL = "only one level in this study"
NO_MATCH = "no complete cells that differ in this alone"
NO_FULL_SET = "no setting of the other factors has every level complete"
NO_BASE = "no complete cell of the base model"
NO_TRAINED = "no complete trained cell"


def factor_effects(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Estimate avg@n of each level minus that of its reference, one row per contrast and tier.

    Columns: `factor level reference pairs`, those of `estimate`, and `p_holm`: p corrected for the number of contrasts of
    that factor in that tier. A count is compared with the next smaller one, other levels with one reference. `pairs` is
    the number of matched pairs that are averaged. The rows of factor `training` compare the mean of all trained cells with
    the base model; there `pairs` is the number of trained cells. What cannot be estimated is NaN with a reason.
    """
    frames = []
    for tier in scores.all_and_tiers:
        frames.append(estimate(scores, tier, planned_contrasts(scores, tier), draws, seed))
    return with_holm(pd.concat(frames, ignore_index=True), ["factor", "tier"])


def planned_contrasts(scores: Scores, tier: str) -> list[WeightedSum]:
    """Return the contrasts of `factor_effects` in one tier, not yet estimated."""
    contrasts = [_training(scores, tier)]
    return contrasts + [contrast for factor in FACTORS for contrast in _contrasts(scores, tier, factor)]


def marginal_means(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Estimate avg@n of each level, averaged over those settings of the other factors that have every level complete.

    "Settings" include the seeds. Columns: `factor level cells` and those of `estimate`. The base model has a row of its
    own (factor `training`, level `base`).
    """
    frames = []
    for tier in scores.all_and_tiers:
        means = [_base(scores, tier)]
        means += [mean for factor in FACTORS for mean in _level_means(scores, tier, factor)]
        frames.append(estimate(scores, tier, means, draws, seed))
    return pd.concat(frames, ignore_index=True)


def _contrasts(scores: Scores, tier: str, factor: str) -> list[WeightedSum]:
    ordered = levels(scores.cells, factor)
    if len(ordered) < 2:
        labels = {"factor": factor, "level": next(iter(ordered), None), "reference": None, "pairs": 0}
        return [WeightedSum(labels, None, ONE_LEVEL)]
    sets = matched_sets(comparable(scores, tier), factor).reindex(columns=ordered)
    return [_contrast(sets, factor, *pair, n_cells=len(scores.cells)) for pair in level_pairs(factor, ordered)]


def _contrast(sets: pd.DataFrame, factor: str, level: object, reference: object, n_cells: int) -> WeightedSum:
    pairs = sets[[level, reference]].dropna()
    labels = {"factor": factor, "level": level, "reference": reference, "pairs": len(pairs)}
    if pairs.empty:
        return WeightedSum(labels, None, NO_MATCH)
    return WeightedSum(labels, mean_weights(pairs[level], n_cells) - mean_weights(pairs[reference], n_cells))


def _level_means(scores: Scores, tier: str, factor: str) -> list[WeightedSum]:
    ordered, n_cells = levels(scores.cells, factor), len(scores.cells)
    sets = matched_sets(comparable(scores, tier), factor).reindex(columns=ordered).dropna()
    labels = [{"factor": factor, "level": level, "cells": len(sets)} for level in ordered]
    if sets.empty:
        return [WeightedSum(label, None, NO_FULL_SET) for label in labels]
    return [WeightedSum(label, mean_weights(sets[label["level"]], n_cells)) for label in labels]


def _training(scores: Scores, tier: str) -> WeightedSum:
    base, trained = _base(scores, tier), usable(scores, tier).index
    labels = {"factor": TRAINING, "level": "trained", "reference": "base", "pairs": len(trained)}
    if base.weights_c is None or trained.empty:
        return WeightedSum(labels, None, base.reason or NO_TRAINED)
    return WeightedSum(labels, mean_weights(trained, len(scores.cells)) - base.weights_c)


def _base(scores: Scores, tier: str) -> WeightedSum:
    complete_c = scores.rates_cq(tier).sum(axis=1) >= 0  # NaN, an incomplete cell, compares false
    base = scores.cells.index[complete_c & scores.is_base_c]
    labels = {"factor": TRAINING, "level": "base", "cells": len(base)}
    if base.empty:
        return WeightedSum(labels, None, NO_BASE)
    return WeightedSum(labels, mean_weights(base, len(scores.cells)))
