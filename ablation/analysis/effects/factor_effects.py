"""What each factor changed: contrasts and marginal means over matched cells, paired by question.

A design need be neither full nor balanced. Only cells that agree in every other factor and in their seeds are set
against each other, so a level never gets credit for the company it keeps.
"""

import pandas as pd

from ablation.analysis.effects.estimates import Plan, estimate
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.effects.uncertainty import DRAWS, SEED
from ablation.analysis.records.load import FACTORS
from ablation.analysis.records.matching import comparable, contrasts, levels, matched_sets, mean_weights, usable
from ablation.analysis.records.tally import Tally

TRAINING = "training"  # the contrast of all trained cells with the base model
ONE_LEVEL = "only one level in this study"
NO_MATCH = "no complete cells that differ in this alone"
NO_FULL_SET = "no setting of the other factors has every level complete"
NO_BASE = "no complete cell of the base model"
NO_TRAINED = "no complete trained cell"


def factor_effects(tally: Tally, draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """avg@n of a level minus that of its reference, one row a contrast and scope.

    Columns: `factor level reference pairs`, those of `estimate`, and `p_holm`: p for the number of contrasts of that
    factor in that scope. Counts are compared with the next smaller one, other levels with one reference. `pairs` counts
    the matched pairs averaged. The rows of factor `training` set the mean of all trained cells against the base model;
    there `pairs` counts the trained cells. What cannot be estimated is NaN with a reason.
    """
    frames = []
    for scope in tally.scopes:
        frames.append(estimate(tally, scope, planned_contrasts(tally, scope), draws, seed))
    return with_holm(pd.concat(frames, ignore_index=True), ["factor", "tier"])


def planned_contrasts(tally: Tally, scope: str) -> list[Plan]:
    """The contrasts of `factor_effects` in one scope, before anything is estimated."""
    plans = [_training(tally, scope)]
    return plans + [plan for factor in FACTORS for plan in _contrasts(tally, scope, factor)]


def marginal_means(tally: Tally, draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """avg@n of each level, averaged over those settings of the other factors and seeds that have every level complete.

    Columns: `factor level cells` and those of `estimate`; the base model is a row of its own (factor `training`, level
    `base`).
    """
    frames = []
    for scope in tally.scopes:
        plans = [_base(tally, scope)]
        plans += [plan for factor in FACTORS for plan in _level_means(tally, scope, factor)]
        frames.append(estimate(tally, scope, plans, draws, seed))
    return pd.concat(frames, ignore_index=True)


def _contrasts(tally: Tally, scope: str, factor: str) -> list[Plan]:
    ordered = levels(tally.cells, factor)
    if len(ordered) < 2:
        labels = {"factor": factor, "level": next(iter(ordered), None), "reference": None, "pairs": 0}
        return [Plan(labels, None, ONE_LEVEL)]
    sets = matched_sets(comparable(tally, scope), factor).reindex(columns=ordered)
    return [_contrast(sets, factor, *pair, n_cells=len(tally.cells)) for pair in contrasts(factor, ordered)]


def _contrast(sets: pd.DataFrame, factor: str, level: object, reference: object, n_cells: int) -> Plan:
    pairs = sets[[level, reference]].dropna()
    labels = {"factor": factor, "level": level, "reference": reference, "pairs": len(pairs)}
    if pairs.empty:
        return Plan(labels, None, NO_MATCH)
    return Plan(labels, mean_weights(pairs[level], n_cells) - mean_weights(pairs[reference], n_cells))


def _level_means(tally: Tally, scope: str, factor: str) -> list[Plan]:
    ordered, n_cells = levels(tally.cells, factor), len(tally.cells)
    sets = matched_sets(comparable(tally, scope), factor).reindex(columns=ordered).dropna()
    labels = [{"factor": factor, "level": level, "cells": len(sets)} for level in ordered]
    if sets.empty:
        return [Plan(label, None, NO_FULL_SET) for label in labels]
    return [Plan(label, mean_weights(sets[label["level"]], n_cells)) for label in labels]


def _training(tally: Tally, scope: str) -> Plan:
    base, trained = _base(tally, scope), usable(tally, scope).index
    labels = {"factor": TRAINING, "level": "trained", "reference": "base", "pairs": len(trained)}
    if base.weights_c is None or trained.empty:
        return Plan(labels, None, base.reason or NO_TRAINED)
    return Plan(labels, mean_weights(trained, len(tally.cells)) - base.weights_c)


def _base(tally: Tally, scope: str) -> Plan:
    whole_c = tally.rates_cq(scope).sum(axis=1) >= 0  # NaN, an incomplete cell, compares false
    base = tally.cells.index[whole_c & tally.is_base_c]
    labels = {"factor": TRAINING, "level": "base", "cells": len(base)}
    if base.empty:
        return Plan(labels, None, NO_BASE)
    return Plan(labels, mean_weights(base, len(tally.cells)))
