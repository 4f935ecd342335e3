"""Interactions of two factors: differences of differences over matched sets of four cells."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.factor_effects import ONE_LEVEL
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.matching import LevelPair, comparable, level_pairs, levels
from ablation.analysis.records.scores import Scores
from ablation.specs.vocabulary import FACTORS

NO_SQUARE = "no four complete cells that differ in these two factors alone"


def interactions(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Estimate how much the effect of one factor depends on the level of another, one row per pair of contrasts.

    The estimate is (level − reference of `factor` at `other_level`) − (the same at `other_reference`). Columns: `factor
    level reference other other_level other_reference sets`, those of `estimate`, and `p_holm` within the pair of factors
    and tier. A design that varies one factor at a time has no such sets: NaN with the reason.
    """
    frames = []
    for tier in scores.all_and_tiers:
        cells = comparable(scores, tier)
        contrasts = [contrast for pair in combinations(FACTORS, 2) for contrast in _of_factors(scores, cells, *pair)]
        frames.append(estimate(scores, tier, contrasts, draws, seed))
    return with_holm(pd.concat(frames, ignore_index=True), ["factor", "other", "tier"])


def _of_factors(scores: Scores, cells: pd.DataFrame, factor: str, other: str) -> list[WeightedSum]:
    first, second = (level_pairs(name, levels(scores.cells, name)) for name in (factor, other))
    if not first or not second:
        labels = {"factor": factor, "level": None, "reference": None, "other": other}
        return [WeightedSum({**labels, "other_level": None, "other_reference": None, "sets": 0}, None, ONE_LEVEL)]
    squares = _laid_out(cells, factor, other)
    n_cells = len(scores.cells)
    return [
        _square(squares, n_cells, (factor, first_pair), (other, second_pair))
        for first_pair in first
        for second_pair in second
    ]


def _laid_out(cells: pd.DataFrame, factor: str, other: str) -> pd.DataFrame:
    """Lay the cells out: one row per setting of the other factors and seeds, one column per (level of factor, level of other).

    An entry is the cell's row in the scores, or NaN, as in `matched_sets`.
    """
    shared = [name for name in (*FACTORS, *SEED_COLUMNS) if name not in (factor, other)]
    settings = [repr(setting) for setting in cells[shared].itertuples(index=False, name=None)]
    laid_out = pd.DataFrame(
        {"setting": settings, "level": cells[factor], "other_level": cells[other], "row": cells.index}
    )
    return laid_out.dropna().pivot(index="setting", columns=["level", "other_level"], values="row")


def _square(
    squares: pd.DataFrame, n_cells: int, first: tuple[str, LevelPair], second: tuple[str, LevelPair]
) -> WeightedSum:
    """Return the difference of differences of two (factor, pair of levels) over the sets that have all four cells."""
    (factor, (level, reference)), (other, (other_level, other_reference)) = first, second
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
