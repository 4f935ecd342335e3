"""What the models wrote, in files beside the page that it loads when somebody reads a question.

A page opened from a disk may load scripts from its own folder, and no other kind of data. So each file is a script with one
call, whose argument is packed JSON: nothing that a model wrote stands in it as it is.
"""

import base64
import hashlib
import json
import shutil
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ablation.analysis.records.load import Study
from ablation.errors import RecordError
from ablation.report.display_text import clean, clean_lines
from ablation.study.completions import QUESTIONS_FILE

FOLDER = "texts"
COMPLETION_FILES_FORMAT = 1
_INDEX = "index.json"
_CHUNK_CHARS = 1_000_000  # of text in one file: some 0.3 MB packed, a moment to load
_PER_ROW = 60  # what a row weighs beside its text
_COLUMNS = ("attempt", "verdict", "finish_reason", "tokens", "extracted")

FileIndex = dict[str, dict[str, str]]  # question → cell → the file that has it


@dataclass
class _Chunk:
    cells: dict[str, list[list[Any]]] = field(default_factory=dict)
    size: int = 0


def write_completion_files(study: Study, study_dir: Path, report: Path) -> FileIndex:
    """Write `texts/` below the report unless it shows these very records; the file of each question and cell."""
    source = study.texts
    if source is None:
        return {}
    made_of = _digest(source, study_dir / "results.parquet")
    if (files := _shown(report / FOLDER / _INDEX, made_of)) is not None:
        return files
    beside = report / f".{FOLDER}-{uuid.uuid4().hex[:8]}"
    beside.mkdir(parents=True)
    try:
        files = _write_chunks(study, beside)
        (beside / _INDEX).write_text(json.dumps({"made_of": made_of, "files": files}), encoding="utf-8")
        shutil.rmtree(report / FOLDER, ignore_errors=True)
        beside.rename(report / FOLDER)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return files


def read_problems(study_dir: Path) -> Mapping[str, Mapping[str, str]]:
    """Question → its `problem` and `answer`, empty where the study did not record them. Raises RecordError for a damaged file."""
    path = study_dir / QUESTIONS_FILE
    if not path.is_file():
        return {}
    try:
        rows = pd.read_parquet(path, columns=["question", "problem", "answer"]).to_dict("records")
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path} is not readable as parquet ({error}); run the study's command again") from error
    return {row["question"]: {"problem": row["problem"], "answer": row["answer"]} for row in rows}


def _shown(index: Path, made_of: str) -> FileIndex | None:
    """The index of texts that are there and made of these records; a damaged one counts as none, and is written again."""
    try:
        told = json.loads(index.read_text(encoding="utf-8"))
        return dict(told["files"]) if told["made_of"] == made_of else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _write_chunks(study: Study, folder: Path) -> FileIndex:
    """One pass over the texts, cell by cell; what waits in memory is less than a chunk of each question."""
    files: FileIndex = {}
    waiting: dict[str, _Chunk] = {}
    written: dict[str, int] = {}
    order = {str(name): place for place, name in enumerate(sorted(study.results["question"].unique()))}
    results = _by_cell(study.results)
    for cell, texts in _texts_by_cell(study):
        if cell not in results:
            continue
        rows = results[cell].merge(texts, on=["question", "attempt"], how="inner")
        for question, group in rows.groupby("question", sort=False):
            chunk = waiting.setdefault(str(question), _Chunk())
            told = [_row(row) for row in group.sort_values("attempt").to_dict("records")]
            chunk.cells[clean(cell)] = told
            chunk.size += sum(len(row[-1]) + _PER_ROW for row in told)
            if chunk.size >= _CHUNK_CHARS:
                _flush(str(question), waiting, written, order, folder, files)
    for question in list(waiting):
        _flush(question, waiting, written, order, folder, files)
    return files


def _flush(
    question: str,
    waiting: dict[str, _Chunk],
    written: dict[str, int],
    order: dict[str, int],
    folder: Path,
    files: FileIndex,
) -> None:
    chunk, part = waiting.pop(question), written.get(question, 0)
    written[question] = part + 1
    name = f"{order[question]:04d}-{part}.js"
    content = json.dumps({"question": question, "cells": chunk.cells}).encode()
    packer = zlib.compressobj(6, wbits=-15)
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    (folder / name).write_text(f'takeTexts("{name}","{packed}");\n', encoding="ascii")
    files.setdefault(question, {}).update(dict.fromkeys(chunk.cells, name))


def _row(row: Mapping[Any, Any]) -> list[Any]:
    """Attempt, verdict, finish reason, tokens, extracted answer, text: fit to be shown."""
    told: list[Any] = [int(row["attempt"])]
    for name in _COLUMNS[1:]:
        value = row.get(name)
        if value is None or pd.isna(value):
            told.append(None)
        else:
            told.append(int(value) if name == "tokens" else clean_lines(value))
    return [*told, clean_lines(row["text"])]


def _by_cell(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    kept = [name for name in ("question", *_COLUMNS) if name in results.columns]
    return {str(cell): group[kept] for cell, group in results.groupby("cell", sort=False)}


def _texts_by_cell(study: Study) -> Iterator[tuple[str, pd.DataFrame]]:
    """The texts of a cell at a time; a cell's rows stand together, however they are cut into batches."""
    held: list[pd.DataFrame] = []
    for batch in study.read_texts():
        for cell, group in batch.to_pandas().groupby("cell", sort=False):
            if held and held[0]["cell"].iloc[0] != cell:
                yield str(held[0]["cell"].iloc[0]), pd.concat(held)[["question", "attempt", "text"]]
                held = []
            held.append(group)
    if held:
        yield str(held[0]["cell"].iloc[0]), pd.concat(held)[["question", "attempt", "text"]]


def _digest(*paths: Path) -> str:
    found = hashlib.sha256(str(COMPLETION_FILES_FORMAT).encode())
    for path in paths:
        with path.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()
