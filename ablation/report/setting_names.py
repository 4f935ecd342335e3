"""The name of a setting: the levels of a cell, without its seeds, on one line."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from ablation.report.display_text import level_text
from ablation.specs.vocabulary import FACTORS


def setting_name(row: Mapping[Hashable, Any]) -> str:
    """Return the levels on one line: algebra · 100 · long · r1. A model without factors has a name for that."""
    count = row["count"]
    if not pd.isna(count) and count == 0:
        return "base model"
    levels = [level_text(row[name]) for name in FACTORS]
    return " · ".join(level for level in levels if level != "–") or "no factors"
