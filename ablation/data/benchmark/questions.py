"""Questions from rows, by a map of columns; without one, in the schemas in which AIME is published.

Those are math-ai/aime24 (the answer stands in the solution's box alone), HuggingFaceH4/aime_2024 and simplescaling's sets (whose
columns may be called question, orig_answer and orig_solution). Ids are joined as text.
"""

from functools import lru_cache
from typing import Any

import yaml

from ablation.data.benchmark.answers import MAX_ANSWER_CHARS, compare, last_boxed
from ablation.data.benchmark.solution_steps import step_count, tiers_by_count
from ablation.data.rows import TableRow, read_rows
from ablation.data.source import local_path, source_name
from ablation.errors import DataError, did_you_mean
from ablation.specs import Benchmark, BenchmarkColumns
from ablation.store.records import Question

# Where no map of columns is given: the names under which a column is known, the first that is there counts.
_PUBLISHED = {
    "id": ("id",),
    "problem": ("problem", "question"),
    "answer": ("answer", "orig_answer", "orig_orig_answer"),
    "solution": ("solution", "orig_solution", "orig_orig_solution"),
}


def read_questions(benchmark: Benchmark) -> tuple[Question, ...]:
    """The questions that are asked, in the order of the source.

    Raises DataError naming row and column, ids that occur twice, or where the source and the answer key disagree.
    """
    return _read(benchmark)[0]


def tiers_by_steps(benchmark: Benchmark) -> dict[str, str]:
    """The tier of each question of a benchmark that is divided by `steps`, else nothing. Raises DataError."""
    return _read(benchmark)[1]


@lru_cache(maxsize=16)
def _read(benchmark: Benchmark) -> tuple[tuple[Question, ...], dict[str, str]]:
    key = _answer_key(benchmark)
    questions: dict[str, Question] = {}
    counts: dict[str, int] = {}
    for number, (where, row) in enumerate(read_rows(benchmark.source, "benchmark")):
        question = _question(row, number, where, benchmark.columns, key)
        if question.id in questions:
            raise DataError(f"{where}, column {_id_column(benchmark)}: ids occur twice: {question.id}")
        questions[question.id] = question
        if benchmark.steps:
            counts[question.id] = step_count(row, benchmark.steps, where)
    if key and (missing := [one for one in key if one not in questions]):
        raise DataError(
            f"benchmark {benchmark.name}: {source_name(benchmark.source)} has {len(questions)} of {len(key)} questions; "
            f"not there: {', '.join(missing)}"
        )
    tiers = tiers_by_count(counts, benchmark.steps) if benchmark.steps else {}
    return tuple(one for one in questions.values() if not benchmark.steps or one.id in tiers), tiers


def _question(
    row: TableRow, number: int, where: str, columns: BenchmarkColumns | None, key: dict[str, str]
) -> Question:
    found = _by_map(row, number, where, columns) if columns else _as_published(row)
    identifier = _text(found["id"], row, where, column_name(columns, "id"))
    problem = _text(found["problem"], row, where, column_name(columns, "problem"))
    if key and identifier not in key:
        raise DataError(
            f"{where}, column {column_name(columns, 'id')}: {identifier} is not among the {len(key)} ids of the answer key"
        )
    given = key.get(identifier) if found["answer"] in (None, "") else found["answer"]
    answer = _text(given, row, where, column_name(columns, "answer"))
    if key and compare(answer, key[identifier]) != "equal":
        raise DataError(
            f"{where}, column {column_name(columns, 'answer')}: {answer} is not {key[identifier]}, "
            f"the key's answer to {identifier}"
        )
    if why := _unfit(answer):
        raise DataError(f"{where}, column {column_name(columns, 'answer')}: {answer[:80]!r} {why}")
    return Question(id=identifier, problem=problem, answer=answer)


def _as_published(row: TableRow) -> dict[str, Any]:
    found = {
        part: next((row[name] for name in names if row.get(name) is not None), None)
        for part, names in _PUBLISHED.items()
    }
    if found["answer"] in (None, ""):
        found["answer"] = last_boxed(str(found["solution"] or ""))
    return found


def _by_map(row: TableRow, number: int, where: str, columns: BenchmarkColumns) -> dict[str, Any]:
    answer = row.get(columns.answer)
    if columns.answer_after is not None and answer is not None:
        _, mark, answer = str(answer).rpartition(columns.answer_after)
        if not mark:
            raise DataError(f"{where}, column {columns.answer}: nothing stands behind {columns.answer_after!r}")
    identifier = number if columns.id is None else row.get(columns.id)
    return {"id": identifier, "problem": row.get(columns.problem), "answer": answer}


def _text(value: Any, row: TableRow, where: str, column: str) -> str:
    text = "" if value is None or isinstance(value, list | dict | bool) else str(value).strip()
    if not text:
        hint = did_you_mean(column, row) if column not in row else ""
        raise DataError(
            f"{where}, column {column}: missing or empty; a question needs id, problem and answer, "
            f"under these names or by benchmark.columns{hint}"
        )
    return text


def _unfit(answer: str) -> str | None:
    """Why no answer could equal this one, as far as its text tells."""
    if len(answer) > MAX_ANSWER_CHARS:
        return f"is longer than {MAX_ANSWER_CHARS:,} characters, so it is no answer"
    return "has braces that do not balance" if last_boxed(f"\\boxed{{{answer}}}") != answer else None


def _answer_key(benchmark: Benchmark) -> dict[str, str]:
    path = local_path(benchmark.answers) if benchmark.answers else None
    if path is None:
        return {}
    try:
        return {str(one): str(answer) for one, answer in yaml.safe_load(path.read_text(encoding="utf-8")).items()}
    except (yaml.YAMLError, AttributeError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a map from question id to answer ({str(error).splitlines()[0]})") from error


def _id_column(benchmark: Benchmark) -> str:
    return column_name(benchmark.columns, "id")


def column_name(columns: BenchmarkColumns | None, part: str) -> str:
    return str(getattr(columns, part) or part) if columns else part
