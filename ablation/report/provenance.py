"""Where a report's numbers come from: code, versions, seeds, fixed choices, the records' checksums, and what it all took."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS, Study
from ablation.report.display_text import quantity

HASHED_FILES = ("results.parquet", "completions.parquet", "cells.parquet", "loss.parquet")
_COSTS = {
    "train_seconds": "training",
    "sample_seconds": "sampling",
}


def provenance_values(study: Study, folder: Path) -> dict[str, Any]:
    """Plain values for the page; what a study did not record is None or empty."""
    told = study.manifest.get("provenance") or {}
    return {
        **{name: told.get(name) for name in ("git", "hostname", "versions")},
        "seeds": _seeds(study.cells),
        "fixed": [json.dumps(fixed, indent=1, ensure_ascii=False) for fixed in study.manifest.get("fixed") or []],
        "evaluators": [
            (name, json.dumps(parts, indent=1, ensure_ascii=False))
            for name, parts in (study.manifest.get("evaluators") or {}).items()
        ],
        "records": [(name, sha256(folder / name)) for name in HASHED_FILES if (folder / name).is_file()],
        "keys": [(cell["cell"], cell["key"]) for cell in study.manifest["cells"] if cell.get("key")],
        "cost": _cost(study.cells),
    }


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _seeds(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """(data, 0 1 2) and so on."""
    return [
        (name.removeprefix("seed_"), " ".join(map(str, sorted(cells[name].dropna().unique())))) for name in SEED_COLUMNS
    ]


def _cost(cells: pd.DataFrame) -> list[str]:
    """Hours of training and sampling over all cells that say so, and the tokens trained on; one cell is one process or world."""
    told = [
        f"{_hours(cells[column])} of {what} over {int(cells[column].notna().sum()):,} cells"
        for column, what in _COSTS.items()
        if column in cells and cells[column].notna().any()
    ]
    if "train_tokens" in cells and cells["train_tokens"].notna().any():
        told.append(f"{quantity(float(cells['train_tokens'].sum()))} tokens trained on")
    return told


def _hours(seconds: "Sequence[float] | pd.Series[Any]") -> str:
    total = float(pd.Series(seconds).sum())
    return f"{total:,.0f} s" if total < 3600 else f"{total / 3600:,.1f} h"
