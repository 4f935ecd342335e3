"""Does the effect of one factor depend on the level of another? Differences of differences over matched sets of four."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.factor_effects import ONE_LEVEL
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.matching import comparable, level_pairs, levels
from ablation.analysis.records.scores import Scores
from ablation.specs.vocabulary import FACTORS

NO_SQUARE = "no four complete cells that differ in these two factors alone"
LevelPair = tuple[object, object]


def interactions(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """(level − reference of `factor` at level of `other`) − (the same at its reference), one row a pair of contrasts.

    Columns: `factor level reference other other_level other_reference sets`, those of `estimate`, and `p_holm` within the
    pair of factors and tier. A design that varies one factor at a time has no such sets: NaN with the reason.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        plans = [plan for pair in combinations(FACTORS, 2) for plan in _of_factors(scores, cells, *pair)]
        frames.append(estimate(scores, tier, plans, draws, seed))
    return with_holm(pd.concat(frames, ignore_index=True), ["factor", "other", "tier"])


def _of_factors(scores: Scores, cells: pd.DataFrame, factor: str, other: str) -> list[WeightedSum]:
    first, second = (level_pairs(name, levels(scores.cells, name)) for name in (factor, other))
    if not first or not second:
        labels = {"factor": factor, "level": None, "reference": None, "other": other}
        return [WeightedSum({**labels, "other_level": None, "other_reference": None, "sets": 0}, None, ONE_LEVEL)]
    squares = _laid_out(cells, factor, other)
    return [_square(squares, len(scores.cells), (factor, one), (other, two)) for one in first for two in second]


def _laid_out(cells: pd.DataFrame, factor: str, other: str) -> pd.DataFrame:
    """One row for each setting of the rest, one column for each (level of factor, level of other)."""
    shared = [name for name in (*FACTORS, *SEED_COLUMNS) if name not in (factor, other)]
    settings = [repr(setting) for setting in cells[shared].itertuples(index=False, name=None)]
    laid_out = pd.DataFrame({"setting": settings, "one": cells[factor], "two": cells[other], "line": cells.index})
    return laid_out.dropna().pivot(index="setting", columns=["one", "two"], values="line")


def _square(squares: pd.DataFrame, n_cells: int, one: tuple[str, LevelPair], two: tuple[str, LevelPair]) -> WeightedSum:
    (factor, (level, reference)), (other, (other_level, other_reference)) = one, two
    corners = [(level, other_level), (reference, other_level), (level, other_reference), (reference, other_reference)]
    sets = _complete(squares, corners)
    labels = {
        "factor": factor, "level": level, "reference": reference, "other": other, "other_level": other_level,
        "other_reference": other_reference, "sets": len(sets),
    }  # fmt: skip
    if sets.empty:
        return WeightedSum(labels, None, NO_SQUARE)
    weights_c = np.zeros(n_cells)
    for corner, sign in zip(corners, (1, -1, -1, 1), strict=True):
        weights_c[sets[corner].to_numpy(dtype=int)] += sign / len(sets)
    return WeightedSum(labels, weights_c)


def _complete(squares: pd.DataFrame, corners: Sequence[LevelPair]) -> pd.DataFrame:
    if any(corner not in squares.columns for corner in corners):
        return pd.DataFrame()
    return squares[list(corners)].dropna()
