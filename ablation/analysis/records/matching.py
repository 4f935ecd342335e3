"""Which cells may be compared: those that agree in every other factor and in their seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.scores import Floats, Scores
from ablation.specs.vocabulary import FACTORS

NATURAL_ORDER = ("short", "normal", "long")  # for reading; it decides nothing
REFERENCES = {"category": "diverse", "length": "normal", "style": "r1"}


def levels(cells: pd.DataFrame, factor: str) -> list[object]:
    """The factor's levels among trained cells: counts by size, lengths from short to long, others by name."""
    present = cells.loc[cells["count"] > 0, factor].dropna().unique().tolist()
    place = {name: position for position, name in enumerate(NATURAL_ORDER)}
    return sorted(present, key=lambda level: (place.get(level, len(place)), level))


def level_pairs(factor: str, ordered: Sequence[object]) -> list[tuple[object, object]]:
    """(level, reference) pairs to look at: neighbours for `count`, each against one reference for the others."""
    if factor == "count":
        return list(zip(ordered[1:], ordered[:-1], strict=True))
    usual = REFERENCES.get(factor)
    reference = usual if usual in ordered else next(iter(ordered), None)
    return [(level, reference) for level in ordered if level != reference]


def usable(scores: Scores, tier: str) -> pd.DataFrame:
    """The trained cells that are complete in `tier`; the index is their line in the scores's arrays."""
    complete_c = ~np.isnan(scores.rates_cq(tier)).any(axis=1)
    return scores.cells[complete_c & ~scores.is_base_c]


def comparable(scores: Scores, tier: str) -> pd.DataFrame:
    """Those usable cells that their factors and seeds tell apart.

    Where several planned cells share all of these, they differ in something the records do not name: none is compared.
    """
    cells = usable(scores, tier)
    return cells[~scores.has_twin_c[cells.index]]


def matched_sets(cells: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Cells laid out by what they share: one row for each setting of the other factors and the seeds, one column for
    each level of `factor`, entries the cell's index or NaN. `cells` are as `comparable` returns them.
    """
    shared = [name for name in (*FACTORS, *SEED_COLUMNS) if name != factor]
    settings = [repr(setting) for setting in cells[shared].itertuples(index=False, name=None)]
    laid_out = pd.DataFrame({"setting": settings, "level": cells[factor], "line": cells.index})
    return laid_out.dropna().pivot(index="setting", columns="level", values="line")


def mean_weights(lines: "pd.Series[Any] | pd.Index[Any]", n_cells: int) -> Floats:
    """Weights that average the given lines."""
    weights_c: Floats = np.zeros(n_cells)
    weights_c[lines.to_numpy(dtype=int)] = 1 / len(lines)
    return weights_c
