"""Any table as generations, by a map that says what its columns mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ablation.data.rows import TableRow
from ablation.errors import DataError, did_you_mean
from ablation.specs import CorpusColumns, Texts


@dataclass(frozen=True)
class Generation:
    """One generation of a problem, right or not; `source` is where the corpus says that the problem came from."""

    id: str
    problem: str
    problem_type: str | None
    source: str | None
    text: str
    style: str
    right: bool
    complete: bool


# simplescaling/s1K-1.1: both styles of the same question.
S1K = CorpusColumns(
    problem="question",
    source="source_type",
    trajectories={
        style: Texts(text=(f"{who}_thinking_trajectory", f"{who}_attempt"), right=f"{who}_grade", right_is="Yes")
        for style, who in (("r1", "deepseek"), ("gemini", "gemini"))
    },
)


def read_columns(columns: CorpusColumns, row: TableRow, number: str, where: str) -> list[Generation]:
    """The generations of one row; `number` names it where the map has no id. Raises DataError naming the column."""
    problem = _text(row, columns.problem, where)
    name = _text(row, columns.id, where) if columns.id else number
    problem_type = _text(row, columns.problem_type, where) if columns.problem_type else None
    origin = row.get(columns.source) if columns.source else None
    return [
        Generation(name + suffix, problem, problem_type, str(origin) if origin else None, text, style, right, complete)
        for style, texts in columns.trajectories.items()
        for suffix, text, right, complete in _trajectories(texts, row, f"#{style}", where)
    ]


def _trajectories(texts: Texts, row: TableRow, suffix: str, where: str) -> Iterator[tuple[str, str, bool, bool]]:
    if isinstance(texts.text, str):
        given = _cell(row, texts.text, where)
        several = isinstance(given, list)
        found = _texts(given if several else [given], texts.text, where)
    else:
        several, found = False, ["\n\n".join(_joined(row, column, where) for column in texts.text)]
    right = _flags(row, texts.right, texts.right_is, len(found), where)
    complete = _flags(row, texts.complete, None, len(found), where)
    for index, (text, is_right, is_complete) in enumerate(zip(found, right, complete, strict=True)):
        yield f"{suffix}{index}" if several else suffix, text, is_right, is_complete


def _joined(row: TableRow, column: str, where: str) -> str:
    """A text, or the only item of a list: s1K keeps its one thinking trajectory so."""
    given = _cell(row, column, where)
    if isinstance(given, list) and len(given) != 1:
        raise DataError(f"{where}, column {column}: {len(given)} texts where one is joined to others")
    return _texts(given if isinstance(given, list) else [given], column, where)[0]


def _flags(row: TableRow, column: str | None, meaning: str | None, count: int, where: str) -> list[bool]:
    """True or false for each text; a single value holds for all of them."""
    if column is None:
        return [True] * count
    given = _cell(row, column, where)
    values = given if isinstance(given, list) else [given] * count
    if len(values) != count:
        raise DataError(f"{where}, column {column}: {len(values)} values for {count} generations")
    if meaning is not None:
        return [text.strip() == meaning for text in _texts(values, column, where)]
    for value in values:
        if not isinstance(value, bool):
            raise DataError(f"{where}, column {column}: given {value!r}; allowed: true, false (or say right_is)")
    return values


def _text(row: TableRow, column: str, where: str) -> str:
    value = _cell(row, column, where)
    return str(value) if isinstance(value, int) else _texts([value], column, where)[0]


def _texts(values: list[Any], column: str, where: str) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise DataError(f"{where}, column {column}: Input should be a text, given {str(value)[:60]!r}")
    return values


def _cell(row: TableRow, column: str, where: str) -> Any:
    if column not in row:
        raise DataError(
            f"{where}, column {column}: Field required; the table has: {', '.join(row)}{did_you_mean(column, row)}"
        )
    return row[column]
