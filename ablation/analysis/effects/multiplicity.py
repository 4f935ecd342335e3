"""p values for the number of questions that were asked at once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ablation.analysis.records.scores import Floats


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down correction (1979, Scandinavian Journal of Statistics 6(2)): max over j ≤ i of (m − j + 1) p_(j).

    NaN stays NaN and does not count.
    """
    p_e = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(p_e))
    ordered = known[np.argsort(p_e[known], kind="stable")]
    stepped = np.maximum.accumulate(p_e[ordered] * np.arange(len(ordered), 0, -1))
    corrected = np.full(len(p_e), np.nan)
    corrected[ordered] = np.minimum(stepped, 1.0)
    return corrected


def with_holm(frame: pd.DataFrame, family: Sequence[str]) -> pd.DataFrame:
    """The frame with a column `p_holm`; rows that agree in the columns `family` are corrected together."""
    corrected = frame.groupby(list(family), dropna=False)["p"].transform(lambda p: holm(p.to_numpy()))
    return frame.assign(p_holm=corrected)
