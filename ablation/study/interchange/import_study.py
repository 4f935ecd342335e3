"""Import: a study's folder from attempts of another program, with the tables of a study that ran here.

Its manifest names the files that they come from.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from ablation.analysis.effects.conditions import cell_errors
from ablation.analysis.records.metrics import cell_table
from ablation.analysis.records.scores import Scores
from ablation.config.execution import RESERVED
from ablation.data.benchmark.tier_rule import STUDY_TIERS
from ablation.data.benchmark.tiers import UNDIVIDED, tier_members
from ablation.errors import ConfigProblems, DataError, RecordError
from ablation.specs import Name, Source
from ablation.specs.vocabulary import CellState
from ablation.store.files import write_text_atomically
from ablation.study.completions import TEXTS_FILE
from ablation.study.interchange.attempts import Imported, ImportedModel
from ablation.study.interchange.columns import ColumnMap
from ablation.study.interchange.counts import read_counts
from ablation.study.interchange.harness import log_files, read_logs
from ablation.study.manifest import MANIFEST, MANIFEST_FORMAT
from ablation.study.plan import PLAN
from ablation.study.schema import FACTOR_TYPES, RESULT_TYPES, SEED_TYPES, Manifest
from ablation.study.tables import replace_table

_SEEDS = tuple(SEED_TYPES)
_TYPES = {**RESULT_TYPES, "count": "Int64", "tokens": "Int64"}  # a model of others may have no N
_TABLES = (".csv", ".parquet")


def import_study(source: Path, folder: Path, columns: ColumnMap, command: str) -> dict[str, int]:
    """Write the study `folder` from a table of counts, a sample log or a folder of logs. Return model → number of attempts.

    Raises DataError where the source is not what the columns say, RecordError where the folder is a study that ran here.
    """
    if (folder / PLAN).exists():
        raise RecordError(f"{folder} is a study that was run; choose another --study NAME")
    imported = read_counts(source, columns) if source.suffix in _TABLES else read_logs(source, columns)
    tier_of, order = _tiers(imported, columns, source)
    results = pd.DataFrame(_rows(imported, tier_of, columns), columns=list(RESULT_TYPES)).astype(_TYPES)
    planned = {model.name: model.n * len(tier_of) for model in imported.models}
    cells = pd.DataFrame([_cell(model, planned, results) for model in imported.models])
    cells = cells.astype({**FACTOR_TYPES, **SEED_TYPES, "count": "Int64"})
    scores = Scores.counted(cells, results, order, max(model.n for model in imported.models), planned)
    measured = cell_table(results, planned, order).merge(cell_errors(scores), on="cell", validate="1:1")
    folder.mkdir(parents=True, exist_ok=True)
    replace_table(folder / "results.parquet", results)
    replace_table(folder / "cells.parquet", cells.merge(measured, on="cell", validate="1:1"))
    replace_table(folder / TEXTS_FILE, _texts(imported))
    manifest = _manifest(folder.name, imported, planned, order, command) | {"imported": _origin(source)}
    write_text_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return {model.name: len(model.attempts) for model in imported.models}


def study_name(name: str) -> str:
    """Return the name if a study may have it. Raises ConfigProblems."""
    try:
        allowed = TypeAdapter(Name).validate_python(name)
    except ValidationError:
        allowed = ""
    if not allowed or name in RESERVED:
        raise ConfigProblems(
            [f"--study: given {name!r}; allowed: letters, digits, . _ -, and not {' or '.join(RESERVED)}"]
        )
    return name


def is_imported(folder: Path) -> bool:
    """Return True when a study's folder holds imported records, so that nothing of it can be run or written again here."""
    return not (folder / PLAN).exists() and (folder / MANIFEST).exists()


def _tiers(imported: Imported, columns: ColumnMap, source: Path) -> tuple[dict[str, str], list[str]]:
    """Return the tier of every question that occurs, and the order of the tiers.

    A file of tiers counts before the tiers in the source. Raises DataError where a question is in no tier.
    """
    questions = list(dict.fromkeys(attempt.question for model in imported.models for attempt in model.attempts))
    tier_of, order = imported.tier_of, list(dict.fromkeys(imported.tier_of.values()))
    if columns.tiers:
        members = tier_members(Source(path=columns.tiers))
        tier_of, order = {question: tier for tier, ids in members.items() for question in ids}, list(members)
    if not tier_of:
        return dict.fromkeys(questions, UNDIVIDED), [UNDIVIDED]
    if without := [question for question in questions if question not in tier_of]:
        raise DataError(f"{source}: questions in no tier: {', '.join(without[:10])}; name them in the file of tiers")
    # Tiers of the study's names stand in its order, not in that of their appearance in the source.
    if set(order) <= set(STUDY_TIERS):
        order = [tier for tier in STUDY_TIERS if tier in order]
    return {question: tier_of[question] for question in questions}, order


def _rows(imported: Imported, tier_of: dict[str, str], columns: ColumnMap) -> Iterator[dict[str, Any]]:
    for model in imported.models:
        judges = {"evaluator": columns.evaluator, "grader": columns.grader}
        shared = {"cell": model.name, **_factors(model), **judges, "curtailed": False}
        for attempt in model.attempts:
            yield {
                **shared, "question": attempt.question, "tier": tier_of[attempt.question],
                "attempt": attempt.attempt, "verdict": attempt.verdict, "answer": attempt.answer,
                "extracted": attempt.extracted, **attempt.further_columns,
            }  # fmt: skip


def _factors(model: ImportedModel) -> dict[str, Any]:
    return {**model.factors.canonical(), **dict.fromkeys(_SEEDS, model.factors.seed)}


def _cell(model: ImportedModel, planned: dict[str, int], results: pd.DataFrame) -> dict[str, Any]:
    present = int((results["cell"] == model.name).sum())
    state = CellState.DONE if present == planned[model.name] else CellState.MISSING
    return {"cell": model.name, "key": None, "state": state.value, **_factors(model), "n": model.n}


def _texts(imported: Imported) -> pd.DataFrame:
    rows = [
        (model.name, attempt.question, attempt.attempt, attempt.text)
        for model in imported.models
        for attempt in model.attempts
        if attempt.text is not None
    ]
    return pd.DataFrame(rows, columns=["cell", "question", "attempt", "text"]).astype(
        {"cell": "string", "question": "string", "attempt": "int64", "text": "string"}
    )


def _manifest(name: str, imported: Imported, planned: dict[str, int], order: list[str], command: str) -> Manifest:
    attempts = {model.name: model.n for model in imported.models}
    return {
        "format": MANIFEST_FORMAT,
        "study": name,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hypothesis": None,
        "primary": None,
        "note": _note(attempts),
        "scale": "imported",
        "n": max(attempts.values()),
        "tiers": order,
        "cells": [
            {
                "cell": model.name,
                "state": CellState.DONE.value,
                "error": None,
                "planned_attempts": planned[model.name],
                "factors": model.factors.canonical(),
            }
            for model in imported.models
        ],
        "left_out": [],
    }


def _note(attempts: dict[str, int]) -> str:
    note = "These records were imported; nothing of them was run here."
    if len(set(attempts.values())) > 1:
        each = ", ".join(f"{name} {n}" for name, n in attempts.items())
        note += f" Attempts at each question differ by model ({each}): averages compare, cov@n does not."
    return note


def _origin(source: Path) -> list[dict[str, str]]:
    files = [source] if source.is_file() else list(log_files(source).values())
    return [{"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in files]
