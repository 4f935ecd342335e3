"""Rows as generations, and which of them are right: OpenR1-Math-220k, s1K-1.1, GSM8K, or any table that a column map describes.

Schemas: the dataset cards of open-r1/OpenR1-Math-220k and simplescaling/s1K-1.1. The first is extended by one nullable column,
``generation_styles``: the style of each generation; absent means that all are `r1`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ablation.data.corpus.columns import S1K, Generation, read_columns
from ablation.data.corpus.gsm8k import read_gsm8k
from ablation.data.rows import TableRow, read_rows
from ablation.errors import DataError, did_you_mean
from ablation.specs import Corpus

Reader = Callable[[TableRow, int, str], list[Generation]]
OPENR1_TYPES = (
    "Algebra", "Geometry", "Number Theory", "Combinatorics", "Calculus", "Inequalities", "Logic and Puzzles", "Other",
)  # fmt: skip


class _OpenR1Row(BaseModel):
    model_config = ConfigDict(strict=True)

    uuid: str
    problem: str
    problem_type: str
    generations: list[str]
    correctness_math_verify: list[bool]
    is_reasoning_complete: list[bool]
    correctness_llama: list[bool] | None = None
    generation_styles: list[str] | None = None
    source: str | None = None


def read_generations(corpus: Corpus) -> Iterator[list[Generation]]:
    """The generations of each row, in the corpus's order. Raises DataError naming row and column."""
    parse, allowed = _reader(corpus), _allowed_types(corpus)
    for number, (where, row) in enumerate(read_rows(corpus.source, "corpus")):
        found = parse(row, number, where)
        _check_type(found, allowed, corpus, where)
        yield found


def _reader(corpus: Corpus) -> Reader:
    if corpus.reader == "openr1":
        return _openr1
    if corpus.reader == "gsm8k":
        return read_gsm8k
    columns = corpus.columns or S1K
    prefix = "s1k-" if corpus.reader == "s1k" else "row-"
    return lambda row, number, where: read_columns(columns, row, f"{prefix}{number}", where)


def _allowed_types(corpus: Corpus) -> tuple[str, ...] | None:
    return corpus.problem_types or (OPENR1_TYPES if corpus.reader == "openr1" else None)


def _check_type(found: list[Generation], allowed: tuple[str, ...] | None, corpus: Corpus, where: str) -> None:
    given = found[0].problem_type if found else None
    if allowed is None or given is None or given in allowed:
        return
    column = corpus.columns.problem_type if corpus.columns else "problem_type"
    raise DataError(
        f"{where}, column {column}: unknown problem_type {given!r}; corpus.problem_types allows: {', '.join(allowed)}"
        f"{did_you_mean(given, allowed)}"
    )


def _openr1(content: TableRow, _: int, where: str) -> list[Generation]:
    row = _validated(content, where)
    count = len(row.generations)
    lists: dict[str, list[Any] | None] = {
        "correctness_math_verify": row.correctness_math_verify,
        "is_reasoning_complete": row.is_reasoning_complete,
        "correctness_llama": row.correctness_llama,
        "generation_styles": row.generation_styles,
    }
    for column, values in lists.items():
        if values is not None and len(values) != count:
            raise DataError(f"{where}, column {column}: {len(values)} values for {count} generations")
    llama, styles = row.correctness_llama or [False] * count, row.generation_styles or ["r1"] * count
    # A right answer in a form that one checker cannot read is often marked by the other alone.
    right = [verify or judged for verify, judged in zip(row.correctness_math_verify, llama, strict=True)]
    columns = zip(row.generations, styles, right, row.is_reasoning_complete, strict=True)
    return [
        Generation(f"{row.uuid}#{index}", row.problem, row.problem_type, row.source, text, style, correct, complete)
        for index, (text, style, correct, complete) in enumerate(columns)
    ]


def _validated(content: TableRow, where: str) -> _OpenR1Row:
    try:
        return _OpenR1Row.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        hint = did_you_mean(column, content) if first["type"] == "missing" else ""
        raise DataError(f"{where}, column {column}: {first['msg']}, given {_short(first['input'])}{hint}") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
