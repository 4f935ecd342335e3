"""Tables of counts, CSV or Parquet, long or wide: the correct attempts of a model at a question, and all its attempts.

Counts do not say which attempts were correct, so the first ones are taken as correct. avg@n and cov@n do not depend on it;
a measure of the first attempts alone would.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ablation.errors import DataError, did_you_mean
from ablation.study.interchange.attempts import Imported, ImportedAttempt, ImportedModel
from ablation.study.interchange.columns import ColumnMap, Factors

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class _Count:
    model: str
    question: str
    correct: int
    n: int
    answer: str | None
    factors: Factors


def read_counts(path: Path, columns: ColumnMap) -> Imported:
    """Return the models of a table. Raises DataError naming row (from 0) and column."""
    table = _table(path)
    counts: dict[tuple[str, str], _Count] = {}
    tier_of: dict[str, str] = {}
    for number, row in enumerate(table.to_dict("records")):
        where = f"{path}, row {number}"
        if columns.tier:
            question = str(_value(row, columns.question or "question", where))
            tier = str(_value(row, columns.tier, where))
            # A long table names a question once for each model: its tier must be the same each time.
            if tier_of.setdefault(question, tier) != tier:
                raise DataError(
                    f"{where}, column {columns.tier}: question {question} is also in tier {tier_of[question]}"
                )
        for count in _counts(row, columns, where):
            if counts.setdefault((count.model, count.question), count) is not count:
                raise DataError(f"{where}: question {count.question} of model {count.model} occurs twice")
    if not counts:
        raise DataError(f"{path}: no rows")
    return Imported(_models(list(counts.values()), path), tier_of)


def _table(path: Path) -> pd.DataFrame:
    try:
        # As text: an id "007" or an answer "025" must not lose its zeros.
        return (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str, keep_default_na=False)
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a table in CSV or Parquet ({(str(error).splitlines() or [''])[0]})") from error


def _counts(row: Row, columns: ColumnMap, where: str) -> Iterator[_Count]:
    question = str(_value(row, columns.question or "question", where))
    answer = str(_value(row, columns.answer, where)) if columns.answer else None
    if not columns.models:
        model = str(_value(row, columns.model, where))
        factors = {name: _level(row, name, column, where) for name, column in columns.factors.items()}
        correct, n = _pair(row, columns.correct, columns.n, where)
        yield _Count(model, question, correct, n, answer, Factors.model_validate(factors))
    for name, model_columns in columns.models.items():
        correct, n = _pair(row, model_columns.correct or columns.correct, model_columns.n or columns.n, where)
        yield _Count(name, question, correct, n, answer, model_columns.factors)


def _pair(row: Row, correct: str, n: str | int, where: str) -> tuple[int, int]:
    right = _whole(_value(row, correct, where), where, correct)
    attempts = n if isinstance(n, int) else _whole(_value(row, n, where), where, n)
    if not 0 <= right <= attempts or attempts == 0:
        raise DataError(f"{where}, column {correct}: {right} of {attempts} attempts cannot be")
    return right, attempts


def _models(counts: list[_Count], path: Path) -> list[ImportedModel]:
    """Return the models. A question with fewer attempts than the model's others lacks some: they are missing, not wrong."""
    models = []
    for name in dict.fromkeys(count.model for count in counts):
        model_counts = [count for count in counts if count.model == name]
        # A model becomes one cell, and a cell has one value of each factor.
        if any(count.factors != model_counts[0].factors for count in model_counts):
            raise DataError(
                f"{path}: model {name} has differing factors; give each combination a model name of its own"
            )
        attempts = [
            ImportedAttempt(count.question, number, "correct" if number < count.correct else "wrong", count.answer)
            for count in model_counts
            for number in range(count.n)
        ]
        models.append(ImportedModel(name, model_counts[0].factors, max(count.n for count in model_counts), attempts))
    return models


def _value(row: Row, column: str, where: str) -> Any:
    if column not in row:
        raise DataError(
            f"{where}, column {column}: missing{did_you_mean(column, map(str, row))}; the table has {', '.join(map(str, row))}"
        )
    value = row[column]
    if pd.isna(value) or value == "":
        raise DataError(f"{where}, column {column}: empty")
    return value


def _level(row: Row, name: str, column: str, where: str) -> Any:
    if column not in row:
        raise DataError(f"{where}, column {column}: missing{did_you_mean(column, map(str, row))}")
    value = row[column]
    if pd.isna(value) or value == "":
        return None
    return _whole(value, where, column) if name in ("count", "seed") else str(value)


def _whole(value: Any, where: str, column: str) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer():
        raise DataError(f"{where}, column {column}: {value!r} is not a whole number")
    return int(number)
