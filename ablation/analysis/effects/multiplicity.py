"""p values corrected for the number of hypotheses that were tested at once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ablation.analysis.records.scores import Floats


def holm(p: ArrayLike) -> Floats:
    """Return p values after Holm's step-down correction (1979, Scandinavian Journal of Statistics 6(2)).

    The i-th smallest of m becomes the maximum over j ≤ i of (m − j + 1) · p_(j), at most 1. NaN stays NaN and does not
    count.

    >>> holm([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.06, 0.06,  nan])
    """
    p_e = np.asarray(p, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(p_e))
    ordered = finite[np.argsort(p_e[finite], kind="stable")]
    stepped = np.maximum.accumulate(p_e[ordered] * np.arange(len(ordered), 0, -1))
    corrected_e = np.full(len(p_e), np.nan)
    corrected_e[ordered] = np.minimum(stepped, 1.0)
    return corrected_e


def with_holm(frame: pd.DataFrame, family: Sequence[str]) -> pd.DataFrame:
    """Return the frame with a column `p_holm`; rows that agree in the columns `family` are corrected together."""
    corrected = frame.groupby(list(family), dropna=False)["p"].transform(lambda p: holm(p.to_numpy()))
    return frame.assign(p_holm=corrected)
