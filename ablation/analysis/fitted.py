"""The curves through the points of P against N, for drawing: no intervals, which `growth` has."""

from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.growth import fit_log, fit_saturating

MIN_COUNTS = {"log": 3, "saturating": 5}  # with fewer a curve says nothing that its points do not
STEPS = 25


def fitted(points: pd.DataFrame) -> pd.DataFrame:
    """Both models of `growth` through each line of `curves`, at `STEPS` counts from its first to its last.

    Columns: `length style tier model count estimate`. A line has no fit with fewer counts than `MIN_COUNTS`.
    """
    found = []
    for labels, line in points.groupby(["length", "style", "tier"], sort=False):
        counts_n = line["count"].to_numpy(dtype=np.float64)
        means_1n = line["estimate"].to_numpy(dtype=np.float64)[None, :]
        along = np.geomspace(counts_n.min(), counts_n.max(), STEPS)
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
