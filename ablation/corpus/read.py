"""Read a corpus row by row, in the schema of OpenR1-Math-220k or of s1K-1.1, and say which generations are right.

Schemas: the dataset cards of open-r1/OpenR1-Math-220k and simplescaling/s1K-1.1. The first is extended by one nullable column,
``generation_styles``: the style of each generation; absent means that all are `r1`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ablation.errors import DataError, nearest
from ablation.science import Corpus
from ablation.source import local_path


@dataclass(frozen=True)
class Generation:
    """One generation of a problem, right or not."""

    id: str
    problem: str
    problem_type: str | None
    text: str
    style: str
    right: bool
    complete: bool


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


class _S1Row(BaseModel):
    model_config = ConfigDict(strict=True)

    question: str
    deepseek_thinking_trajectory: str
    deepseek_attempt: str
    deepseek_grade: str
    gemini_thinking_trajectory: str
    gemini_attempt: str
    gemini_grade: str


def read(corpus: Corpus) -> Iterator[list[Generation]]:
    """The generations of each row, in the corpus's order. Raises DataError naming row and column."""
    place = corpus.source.path or corpus.source.hub
    parse, schema = _READERS[corpus.reader]
    for number, row in enumerate(_rows(corpus)):
        where = f"{place}, row {number}"
        try:
            parsed = schema.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            column = ".".join(map(str, first["loc"]))
            hint = nearest(column, row) if first["type"] == "missing" else ""
            raise DataError(f"{where}, column {column}: {first['msg']}, given {_short(first['input'])}{hint}") from None
        yield parse(parsed, number, where)


def _rows(corpus: Corpus) -> Iterator[Mapping[str, Any]]:
    try:
        yield from _dataset(corpus)
    except (OSError, ValueError) as error:
        place = corpus.source.path or corpus.source.hub
        raise DataError(
            f"corpus {corpus.name}: {place} cannot be read ({_first_line(error)}); "
            "give corpus.source.path=FILE.parquet, or check the id, the revision and the network"
        ) from error


def _dataset(corpus: Corpus) -> Any:
    import datasets

    source, path = corpus.source, local_path(corpus.source)
    if path is None:
        split = source.split or "train"
        return datasets.load_dataset(
            source.hub, name=source.subset, split=split, revision=source.revision, streaming=True
        )
    files = sorted(map(str, path.glob("**/*.parquet"))) if path.is_dir() else [str(path)]
    kind = "json" if files and files[0].endswith((".json", ".jsonl")) else "parquet"
    return datasets.load_dataset(kind, data_files=[escape(file) for file in files], split="train", streaming=True)


def _openr1(row: _OpenR1Row, _: int, where: str) -> list[Generation]:
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
        Generation(f"{row.uuid}#{index}", row.problem, row.problem_type, text, style, correct, complete)
        for index, (text, style, correct, complete) in enumerate(columns)
    ]


def _s1(row: _S1Row, number: int, _: str) -> list[Generation]:
    answers = {
        "r1": (row.deepseek_thinking_trajectory, row.deepseek_attempt, row.deepseek_grade),
        "gemini": (row.gemini_thinking_trajectory, row.gemini_attempt, row.gemini_grade),
    }
    return [
        Generation(
            f"s1k-{number}#{style}", row.question, None, f"{thought}\n\n{attempt}", style, grade.strip() == "Yes", True
        )
        for style, (thought, attempt, grade) in answers.items()
    ]


_READERS: dict[str, tuple[Callable[[Any, int, str], list[Generation]], type[BaseModel]]] = {
    "openr1": (_openr1, _OpenR1Row),
    "s1k": (_s1, _S1Row),
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
