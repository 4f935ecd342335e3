"""Tiny studies with known counts, built in memory in the format of the records.

Walks through analysis.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.records.load import Study, checked

Factors = Mapping[str, Any]
BASE: Factors = {"category": None, "count": 0, "length": None, "style": None, "seed": 0}
QUESTIONS = {"easy": 6, "hard": 6}


def trained(
    category: str = "algebra", count: int = 50, length: str = "normal", style: str = "r1", seed: int = 0
) -> Factors:
    return {"category": category, "count": count, "length": length, "style": style, "seed": seed}


def factorial(**levels: Iterable[Any]) -> list[Factors]:
    return [trained(**dict(zip(levels, setting, strict=True))) for setting in product(*levels.values())]


def name_of(cell: Factors) -> str:
    return "base" if cell["count"] == 0 else "-".join(str(level) for level in cell.values())


def build(
    cells: Iterable[Factors],
    n_correct: Callable[[Factors, int], int],
    *,
    questions: Mapping[str, int] = QUESTIONS,
    n: int = 4,
    failed: Iterable[int] = (),
    **manifest: Any,
) -> Study:
    """A study in which a cell solves its q-th question in the first `n_correct(cell, q)` of n attempts."""
    tiers = [tier for tier, size in questions.items() for _ in range(size)]
    planned = list(cells)
    states = ["failed" if index in set(failed) else "done" for index in range(len(planned))]
    rows = [
        {
            **_columns(cell),
            "question": f"q{q:02}",
            "tier": tier,
            "attempt": attempt,
            "verdict": _verdict(attempt < right),
        }
        for cell, state in zip(planned, states, strict=True)
        if state == "done"
        for q, tier in enumerate(tiers)
        for right in [n_correct(cell, q)]
        for attempt in range(n)
    ]
    entries = [
        {"cell": name_of(cell), "error": "it broke" if state == "failed" else None, "planned_attempts": n * len(tiers)}
        for cell, state in zip(planned, states, strict=True)
    ]
    head = {"format": 1, "study": "tiny", "n": n, "tiers": list(questions), "cells": entries, **manifest}
    columns = [*_columns(BASE), "question", "tier", "attempt", "verdict"]
    table = pd.DataFrame([{**_columns(cell), "state": state} for cell, state in zip(planned, states, strict=True)])
    return checked(Study(head, pd.DataFrame(rows, columns=columns), table))


def row_of(frame: pd.DataFrame, **labels: object) -> dict[str, Any]:
    """The one row with these values in these columns, as plain values."""
    chosen = frame
    for column, value in labels.items():
        chosen = chosen[chosen[column] == value]
    (row,) = chosen.to_dict("records")
    return {str(name): value for name, value in row.items()}


def without(study: Study, rows: "pd.Series[bool]") -> Study:
    return Study(study.manifest, study.results[~rows], study.cells, study.loss)


def save(study: Study, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(dict(study.manifest)), encoding="utf-8")
    study.results.to_parquet(folder / "results.parquet")
    study.cells.to_parquet(folder / "cells.parquet")
    if study.loss is not None:
        study.loss.to_parquet(folder / "loss.parquet")
    return folder


def _columns(cell: Factors) -> dict[str, Any]:
    return {"cell": name_of(cell), **cell} | dict.fromkeys(("seed_data", "seed_train", "seed_sample"), cell["seed"])


def _verdict(right: bool) -> str:
    return "correct" if right else "wrong"
