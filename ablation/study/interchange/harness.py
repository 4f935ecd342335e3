"""Sample logs of lm-evaluation-harness: one JSON line a question.

They are read as the study's authors wrote them (task aime24_nofigures_agg8: ``doc.id``, ``exact_matches``,
``extracted_answers``) and as the harness itself writes them (``doc_id``, ``exact_match``, ``filter``). The column that our own
export adds (``verdicts``) is read too.
"""

import json
from collections import Counter
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
    """Return model → sample log. Below a folder a model has the name of its first subfolder, as the harness lays them out.

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
    """Return the models of one log or of a folder of logs. Raises DataError naming row (from 0) and column."""
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
    if not attempts:  # also where `columns.filter` names a filter that no row has
        raise DataError(f"{file}: no rows")
    per_question = Counter(attempt.question for attempt in attempts)
    factors = columns.models[name].factors if name in columns.models else Factors()
    return ImportedModel(name, factors, max(per_question.values()), attempts)


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
            # One row for each question and filter: to read all would count each attempt several times.
            filters.add(str(row.get("filter")))
            if columns.filter is None and len(filters) > 1:
                raise DataError(
                    f"{where}, column filter: rows of several filters ({', '.join(sorted(filters))}); name one: filter: …"
                )
            if columns.filter in (None, row.get("filter")):
                yield where, row


def _identifier(row: Row, columns: ColumnMap, where: str) -> Any:
    for column in (columns.question,) if columns.question else ("doc.id", "doc_id"):
        identifier = _at(row, column)
        if identifier is not _ABSENT and identifier is not None:
            return identifier
    raise DataError(f"{where}, column {columns.question or 'doc.id'}: missing; the row has {', '.join(row)}")


def _attempts(row: Row, question: str, columns: ColumnMap, where: str) -> list[ImportedAttempt]:
    passes, column = _at(row, columns.passes), columns.passes
    if passes is _ABSENT:  # a log of the harness itself, with one attempt
        passes, column = [_at(row, columns.passed)], columns.passed
    if not isinstance(passes, list) or not passes or any(passed is _ABSENT for passed in passes):
        raise DataError(f"{where}, column {column}: missing or empty; the row has {', '.join(row)}")
    if strange := [passed for passed in passes if passed not in (0, 1)]:
        raise DataError(f"{where}, column {column}: {json.dumps(strange[0])} is neither 0 nor 1")
    n = len(passes)
    verdicts = _list(row, "verdicts", n, where) or ["correct" if passed else "wrong" for passed in passes]
    if unknown := sorted(map(str, set(verdicts) - set(VERDICTS))):
        raise DataError(f"{where}, column verdicts: {unknown[0]} is none of {', '.join(VERDICTS)}")
    extracted = _list(row, "extracted_answers", n, where) or [None] * n
    texts = _texts(row, n)
    answers = (_at(row, columns.answer or "doc.answer"), row.get("target"))
    answer = next((answer for answer in answers if answer not in (_ABSENT, None)), None)
    evaluator_columns = {name: row[name] for name in EVALUATOR_COLUMNS if name in row}
    return [
        ImportedAttempt(
            question,
            number,
            verdicts[number],
            None if answer is None else str(answer),
            extracted[number],
            texts[number],
            evaluator_columns,
        )
        for number in range(n)
    ]


def _list(row: Row, column: str, n: int, where: str) -> list[Any] | None:
    values = row.get(column)
    if not values:
        return None
    if not isinstance(values, list) or len(values) != n:
        raise DataError(f"{where}, column {column}: {len(values)} values for {n} attempts")
    return values


def _texts(row: Row, n: int) -> list[str | None]:
    texts = row.get("resps")
    # The harness nests the texts of a question in a list of its own for each request.
    flat = texts[0] if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], list) else texts
    if isinstance(flat, list) and len(flat) == n and all(isinstance(text, str) for text in flat):
        return list(flat)
    return [None] * n


def _at(row: Row, path: str) -> Any:
    """Return the value at a column; dots in `path` go into objects."""
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value
