"""The completions, in files beside the page that it loads when somebody reads a question.

A page opened from a disk may load scripts from its own folder, and no other kind of data. So each file is a script with one
call, whose argument is packed JSON: no text of a model stands in it in the clear.
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
_PER_ROW = 60  # characters of a row beside its text
_COLUMNS = ("attempt", "verdict", "finish_reason", "tokens", "extracted")

FileIndex = dict[str, dict[str, str]]  # question → cell → name of the file that holds its completions


@dataclass
class _Chunk:
    """The completions of one question that wait to be written."""

    cells: dict[str, list[list[Any]]] = field(default_factory=dict)
    """Cell → its rows, as `_row` makes them."""
    size: int = 0
    """In characters."""


def write_completion_files(study: Study, study_dir: Path, report: Path) -> FileIndex:
    """Write `texts/` below the report, and return the file of each question and cell.

    Nothing is written where `texts/` was made of these very records, or where the study has no texts.
    """
    source = study.texts
    if source is None:
        return {}
    made_of = _digest(source, study_dir / "results.parquet")
    if (files := _read_index(report / FOLDER / _INDEX, made_of)) is not None:
        return files
    beside = report / f".{FOLDER}-{uuid.uuid4().hex[:8]}"
    beside.mkdir(parents=True)
    try:
        files = _write_chunks(study, beside)
        # Last, so that a folder with an index is complete.
        (beside / _INDEX).write_text(json.dumps({"made_of": made_of, "files": files}), encoding="utf-8")
        shutil.rmtree(report / FOLDER, ignore_errors=True)
        beside.rename(report / FOLDER)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return files


def read_question_texts(study_dir: Path) -> Mapping[str, Mapping[str, str]]:
    """Read question → its `problem` and `answer`, empty where the study did not record them.

    Raises RecordError for a damaged file.
    """
    path = study_dir / QUESTIONS_FILE
    if not path.is_file():
        return {}
    try:
        rows = pd.read_parquet(path, columns=["question", "problem", "answer"]).to_dict("records")
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path} is not readable as parquet ({error}); run the study's command again") from error
    return {row["question"]: {"problem": row["problem"], "answer": row["answer"]} for row in rows}


def _read_index(index: Path, made_of: str) -> FileIndex | None:
    """Return the index of the texts that were made of these records, or None; a damaged index counts as none."""
    try:
        record = json.loads(index.read_text(encoding="utf-8"))
        return dict(record["files"]) if record["made_of"] == made_of else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _write_chunks(study: Study, folder: Path) -> FileIndex:
    """Write all completions in one pass over the texts, cell by cell, and return the index.

    Memory holds less than a chunk of each question.
    """
    files: FileIndex = {}
    waiting: dict[str, _Chunk] = {}
    written: dict[str, int] = {}
    order = {str(name): index for index, name in enumerate(sorted(study.results["question"].unique()))}
    results = _by_cell(study.results)
    for cell, texts in _texts_by_cell(study):
        if cell not in results:
            continue
        rows = results[cell].merge(texts, on=["question", "attempt"], how="inner")
        for question, group in rows.groupby("question", sort=False):
            chunk = waiting.setdefault(str(question), _Chunk())
            completions = [_row(row) for row in group.sort_values("attempt").to_dict("records")]
            chunk.cells[clean(cell)] = completions
            chunk.size += sum(len(row[-1]) + _PER_ROW for row in completions)
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
    """Write what waits of a question as its next file, and name the file in `files`."""
    chunk, part = waiting.pop(question), written.get(question, 0)
    written[question] = part + 1
    name = f"{order[question]:04d}-{part}.js"
    content = json.dumps({"question": question, "cells": chunk.cells}).encode()
    packer = zlib.compressobj(6, wbits=-15)
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    (folder / name).write_text(f'takeTexts("{name}","{packed}");\n', encoding="ascii")
    files.setdefault(question, {}).update(dict.fromkeys(chunk.cells, name))


def _row(row: Mapping[Any, Any]) -> list[Any]:
    """Return attempt, verdict, finish reason, tokens, extracted answer and text, fit to be shown."""
    values: list[Any] = [int(row["attempt"])]
    for name in _COLUMNS[1:]:
        value = row.get(name)
        if value is None or pd.isna(value):
            values.append(None)
        else:
            values.append(int(value) if name == "tokens" else clean_lines(value))
    return [*values, clean_lines(row["text"])]


def _by_cell(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return cell → its attempts, with the columns that `_row` reads."""
    columns = [name for name in ("question", *_COLUMNS) if name in results.columns]
    return {str(cell): group[columns] for cell, group in results.groupby("cell", sort=False)}


def _texts_by_cell(study: Study) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each cell with all its texts. A cell's rows stand together in the file, but a batch may end among them."""
    pieces: list[pd.DataFrame] = []
    for batch in study.read_texts():
        for cell, group in batch.to_pandas().groupby("cell", sort=False):
            if pieces and pieces[0]["cell"].iloc[0] != cell:
                yield str(pieces[0]["cell"].iloc[0]), pd.concat(pieces)[["question", "attempt", "text"]]
                pieces = []
            pieces.append(group)
    if pieces:
        yield str(pieces[0]["cell"].iloc[0]), pd.concat(pieces)[["question", "attempt", "text"]]


def _digest(*paths: Path) -> str:
    """Return the digest of the files and of the format, which together decide what is written."""
    digest = hashlib.sha256(str(COMPLETION_FILES_FORMAT).encode())
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
