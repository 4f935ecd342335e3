"""Sample logs of lm-evaluation-harness: one JSON line a question.

Read as the study's authors wrote them (task aime24_nofigures_agg8: ``doc.id``, ``exact_matches``, ``extracted_answers``) and as
the harness itself does (``doc_id``, ``exact_match``, ``filter``). What our own export adds (``verdicts``) is taken up again.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablation.analysis.records.evaluators import EVALUATOR_COLUMNS
from ablation.errors import DataError
from ablation.evaluation.grading.verdict import VERDICTS
from ablation.study.interchange.attempts import Imported, ImportedAttempt, ImportedModel
from ablation.study.interchange.columns import ColumnMap, Factors

Row = Mapping[str, Any]
_ABSENT = object()


def log_files(path: Path) -> dict[str, Path]:
    """Model → sample log. Below a folder, a model is called by the first folder on the way, as the harness lays them out.

    Raises DataError where a folder holds no logs or several of one model.
    """
    if path.is_file():
        return {path.parent.name if path.name.startswith("samples_") else path.stem: path}
    files: dict[str, Path] = {}
    for file in sorted(path.rglob("*.jsonl")):
        inner = file.relative_to(path)
        name = inner.parts[0] if len(inner.parts) > 1 else file.stem
        if name in files:
            raise DataError(
                f"{path}: two logs of {name}: {files[name].relative_to(path)} and {inner}; import one task at a time"
            )
        files[name] = file
    if not files:
        raise DataError(f"{path}: no .jsonl files below it")
    return files


def read_logs(path: Path, columns: ColumnMap) -> Imported:
    """The models of one log or of a folder of logs. Raises DataError naming row (from 0) and column."""
    files, tier_of = log_files(path), dict[str, str]()
    if unknown := [name for name in columns.models if name not in files]:
        raise DataError(f"models: {', '.join(unknown)} not among the logs of {path}: {', '.join(files)}")
    models = [_model(name, file, columns, tier_of) for name, file in files.items()]
    return Imported(models, tier_of)


def _model(name: str, file: Path, columns: ColumnMap, tier_of: dict[str, str]) -> ImportedModel:
    attempts: list[ImportedAttempt] = []
    seen: set[str] = set()
    for where, row in _rows(file, columns):
        question = str(_identifier(row, columns, where))
        if question in seen:
            raise DataError(f"{where}, column {columns.question or 'doc.id'}: ids occur twice: {question}")
        seen.add(question)
        attempts += _attempts(row, question, columns, where)
        if columns.tier and (tier := _at(row, columns.tier)) is not _ABSENT:
            tier_of[question] = str(tier)
    if not attempts:
        raise DataError(f"{file}: no rows")
    per_question = [sum(one.question == question for one in attempts) for question in seen]
    factors = columns.models[name].factors if name in columns.models else Factors()
    return ImportedModel(name, factors, max(per_question), attempts)


def _rows(file: Path, columns: ColumnMap) -> Iterator[tuple[str, Row]]:
    filters: set[str] = set()
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            where = f"{file}, row {number}"
            try:
                row = json.loads(line.decode())
            except ValueError as error:
                raise DataError(f"{where}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise DataError(f"{where}: not an object")
            filters.add(str(row.get("filter")))
            if columns.filter is None and len(filters) > 1:
                raise DataError(
                    f"{where}, column filter: rows of several filters ({', '.join(sorted(filters))}); name one: filter: …"
                )
            if columns.filter in (None, row.get("filter")):
                yield where, row


def _identifier(row: Row, columns: ColumnMap, where: str) -> Any:
    for column in (columns.question,) if columns.question else ("doc.id", "doc_id"):
        found = _at(row, column)
        if found is not _ABSENT and found is not None:
            return found
    raise DataError(f"{where}, column {columns.question or 'doc.id'}: missing; the row has {', '.join(row)}")


def _attempts(row: Row, question: str, columns: ColumnMap, where: str) -> list[ImportedAttempt]:
    passes, column = _at(row, columns.passes), columns.passes
    if passes is _ABSENT:
        passes, column = [_at(row, columns.passed)], columns.passed
    if not isinstance(passes, list) or not passes or any(one is _ABSENT for one in passes):
        raise DataError(f"{where}, column {column}: missing or empty; the row has {', '.join(row)}")
    if strange := [one for one in passes if one not in (0, 1)]:
        raise DataError(f"{where}, column {column}: {json.dumps(strange[0])} is neither 0 nor 1")
    n = len(passes)
    verdicts = _list(row, "verdicts", n, where) or ["correct" if one else "wrong" for one in passes]
    if unknown := sorted(map(str, set(verdicts) - set(VERDICTS))):
        raise DataError(f"{where}, column verdicts: {unknown[0]} is none of {', '.join(VERDICTS)}")
    extracted = _list(row, "extracted_answers", n, where) or [None] * n
    texts = _texts(row, n)
    answer = next(
        (one for one in (_at(row, columns.answer or "doc.answer"), row.get("target")) if one not in (_ABSENT, None)),
        None,
    )
    told = {name: row[name] for name in EVALUATOR_COLUMNS if name in row}
    return [
        ImportedAttempt(
            question,
            place,
            verdicts[place],
            None if answer is None else str(answer),
            extracted[place],
            texts[place],
            told,
        )
        for place in range(n)
    ]


def _list(row: Row, column: str, n: int, where: str) -> list[Any] | None:
    values = row.get(column)
    if not values:
        return None
    if not isinstance(values, list) or len(values) != n:
        raise DataError(f"{where}, column {column}: {len(values)} values for {n} attempts")
    return values


def _texts(row: Row, n: int) -> list[str | None]:
    said = row.get("resps")
    flat = said[0] if isinstance(said, list) and len(said) == 1 and isinstance(said[0], list) else said
    if isinstance(flat, list) and len(flat) == n and all(isinstance(one, str) for one in flat):
        return list(flat)
    return [None] * n


def _at(row: Row, path: str) -> Any:
    found: Any = row
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found
