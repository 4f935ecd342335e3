"""The provenance of a report's numbers: code, versions, seeds, fixed choices, the records' checksums, and the cost."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS, Study
from ablation.report.display_text import quantity
from ablation.store.files import sha256

HASHED_FILES = ("results.parquet", "completions.parquet", "cells.parquet", "loss.parquet")
_COSTS = {
    "train_seconds": "training",
    "sample_seconds": "sampling",
}


def provenance_values(study: Study, folder: Path) -> dict[str, Any]:
    """Return plain values for the page; a value that the study did not record is None or empty."""
    recorded = study.manifest.get("provenance") or {}
    return {
        **{name: recorded.get(name) for name in ("git", "hostname", "versions")},
        "seeds": _seeds(study.cells),
        # More than one entry means that cells differ in a choice that should be fixed: the page shows each.
        "fixed": [json.dumps(fixed, indent=1, ensure_ascii=False) for fixed in study.manifest.get("fixed") or []],
        "evaluators": [
            (name, json.dumps(parts, indent=1, ensure_ascii=False))
            for name, parts in (study.manifest.get("evaluators") or {}).items()
        ],
        "records": [(name, sha256(folder / name)) for name in HASHED_FILES if (folder / name).is_file()],
        "keys": [(cell["cell"], cell["key"]) for cell in study.manifest["cells"] if cell.get("key")],
        "cost": _cost(study.cells),
    }


def _seeds(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (stage, its seeds in ascending order), such as (data, 0 1 2)."""
    return [
        (name.removeprefix("seed_"), " ".join(map(str, sorted(cells[name].dropna().unique())))) for name in SEED_COLUMNS
    ]


def _cost(cells: pd.DataFrame) -> list[str]:
    """Return the time of training and sampling over all cells that recorded it, and the tokens trained on.

    A cell counts once, whether it ran in one process or in several.
    """
    costs = [
        f"{_hours(cells[column])} of {work} over {int(cells[column].notna().sum()):,} cells"
        for column, work in _COSTS.items()
        if column in cells and cells[column].notna().any()
    ]
    if "train_tokens" in cells and cells["train_tokens"].notna().any():
        costs.append(f"{quantity(float(cells['train_tokens'].sum()))} tokens trained on")
    return costs


def _hours(seconds: "Sequence[float] | pd.Series[Any]") -> str:
    """Return the sum in hours, or in seconds below one hour."""
    total = float(pd.Series(seconds).sum())
    return f"{total:,.0f} s" if total < 3600 else f"{total / 3600:,.1f} h"
