"""The cells that may be compared: those that agree in every other factor and in their seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.scores import Floats, Scores
from ablation.specs.vocabulary import FACTORS

NATURAL_ORDER = ("short", "normal", "long")  # the order to read lengths in; it decides nothing
REFERENCES = {"category": "diverse", "length": "normal", "style": "r1"}
LevelPair = tuple[object, object]
"""A level of a factor, and the reference that it is compared with."""


def levels(cells: pd.DataFrame, factor: str) -> list[object]:
    """Return the factor's levels among trained cells: counts by size, lengths from short to long, others by name."""
    present = cells.loc[cells["count"] > 0, factor].dropna().unique().tolist()
    rank = {name: position for position, name in enumerate(NATURAL_ORDER)}
    return sorted(present, key=lambda level: (rank.get(level, len(rank)), level))


def level_pairs(factor: str, ordered: Sequence[object]) -> list[LevelPair]:
    """Return the (level, reference) pairs to compare.

    A count is compared with the next smaller one, every other level with one reference: the usual one (`REFERENCES`), or
    the first level where that is absent.
    """
    if factor == "count":
        return list(zip(ordered[1:], ordered[:-1], strict=True))
    usual = REFERENCES.get(factor)
    reference = usual if usual in ordered else next(iter(ordered), None)
    return [(level, reference) for level in ordered if level != reference]


def usable(scores: Scores, tier: str) -> pd.DataFrame:
    """Return the trained cells that are complete in `tier`; the index is their row in the arrays of `scores`."""
    complete_c = ~np.isnan(scores.rates_cq(tier)).any(axis=1)
    return scores.cells[complete_c & ~scores.is_base_c]


def comparable(scores: Scores, tier: str) -> pd.DataFrame:
    """Return those usable cells that their factors and seeds tell apart.

    Cells that share all of these differ in something that the records do not name. None of them is compared.
    """
    cells = usable(scores, tier)
    return cells[~scores.has_twin_c[cells.index]]


def matched_sets(cells: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Lay `cells` (from `comparable`) out by what they share, so that a row holds cells that differ in `factor` alone.

    One row per setting of the other factors and the seeds, one column per level of `factor`. An entry is the cell's row
    in the scores, or NaN where there is no such cell. With two levels of `style` at two counts, and one cell missing:

        cells 0: N 50, r1    1: N 50, gemini    2: N 100, r1

        level                       gemini    r1
        setting (… count 50 …)         1       0
        setting (… count 100 …)       NaN      2
    """
    shared = [name for name in (*FACTORS, *SEED_COLUMNS) if name != factor]
    # The text of a setting stands for it: missing levels equal each other in text, while NaN would match nothing.
    settings = [repr(setting) for setting in cells[shared].itertuples(index=False, name=None)]
    laid_out = pd.DataFrame({"setting": settings, "level": cells[factor], "row": cells.index})
    return laid_out.dropna().pivot(index="setting", columns="level", values="row")


def mean_weights(rows: "pd.Series[Any] | pd.Index[Any]", n_cells: int) -> Floats:
    """Return weights that average the cells in these rows: 1 / number of them, and 0 elsewhere."""
    weights_c: Floats = np.zeros(n_cells)
    weights_c[rows.to_numpy(dtype=int)] = 1 / len(rows)
    return weights_c
