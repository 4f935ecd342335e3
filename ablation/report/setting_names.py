"""Settings, a cell's levels without its seeds: their names, and their measures side by side."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ablation.report.display_text import level_text
from ablation.specs.vocabulary import FACTORS


def settings_wide(settings: pd.DataFrame) -> pd.DataFrame:
    """One row a setting and scope with an estimate: the factors, `arm tier k avg cov gap low high` (of the gap, on these
    questions).
    """
    known = settings.dropna(subset="estimate")
    by = ["arm", *FACTORS, "tier", "k"]
    parts = {name: known[known["measure"] == name] for name in ("avg", "cov", "gap")}
    wide = parts["gap"][[*by, "estimate", "low_these", "high_these"]].rename(
        columns={"estimate": "gap", "low_these": "low", "high_these": "high"}
    )
    for name in ("avg", "cov"):
        values = parts[name][["arm", "tier", "estimate"]].rename(columns={"estimate": name})
        wide = wide.merge(values, on=["arm", "tier"], validate="1:1")
    return wide


def setting_name(row: Mapping[Hashable, Any]) -> str:
    """The levels on one line: algebra · 100 · long · r1."""
    count = row["count"]
    if not pd.isna(count) and count == 0:
        return "base model"
    levels = [level_text(row[name]) for name in FACTORS]
    return " · ".join(level for level in levels if level != "–") or "no factors"


def is_trained(row: Mapping[Hashable, Any]) -> bool:
    """False for the base model, and for an imported model without a count."""
    return bool(np.greater(row["count"], 0)) if not pd.isna(row["count"]) else False
