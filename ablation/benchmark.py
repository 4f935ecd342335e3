"""A benchmark: questions with reference answers, and the tiers that divide them.

Questions come in the schema of math-ai/aime24 (``id, problem, answer`` or a ``solution`` that ends in a box); ids are joined
as text. Tiers are data: a YAML file that maps each tier's name to question ids.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from ablation.answer import last_boxed
from ablation.errors import DataError
from ablation.records import Question
from ablation.science import Benchmark, Source
from ablation.source import local_path


@lru_cache(maxsize=16)
def read_questions(benchmark: Benchmark) -> tuple[Question, ...]:
    """All questions in file order. Raises DataError naming row and column, or the ids that occur twice."""
    questions = tuple(
        _question(row, f"{_place(benchmark.source)}, row {number}") for number, row in enumerate(_rows(benchmark))
    )
    ids = [question.id for question in questions]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice or not ids:
        raise DataError(
            f"benchmark {benchmark.name}: {'ids occur twice: ' + ', '.join(twice) if twice else 'no questions'}"
        )
    return questions


@lru_cache(maxsize=16)
def read_tiers(benchmark: Benchmark) -> dict[str, str]:
    """The tier of each question id, tiers in file order. Raises DataError unless the tiers partition the questions."""
    path = local_path(benchmark.tiers)
    if path is None:
        raise DataError(f"benchmark {benchmark.name}: tiers must be a local YAML file, not a hub id")
    try:
        labels = yaml.safe_load(path.read_text(encoding="utf-8"))
        pairs = [(str(one), str(tier)) for tier, members in labels.items() for one in members]
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: not a map from tier to question ids ({str(error).splitlines()[0]})") from error
    _check_partition(benchmark, [one for one, _ in pairs])
    return dict(pairs)


def tier_names(benchmark: Benchmark) -> list[str]:
    """The tiers in the order of the file."""
    return list(dict.fromkeys(read_tiers(benchmark).values()))


def _check_partition(benchmark: Benchmark, labelled: list[str]) -> None:
    ids = {question.id for question in read_questions(benchmark)}
    twice = sorted({one for one in labelled if labelled.count(one) > 1})
    faults = {
        "in two tiers": twice,
        "in no tier": sorted(ids - set(labelled)),
        "not a question": sorted(set(labelled) - ids),
    }
    found = [f"{what}: {', '.join(which)}" for what, which in faults.items() if which]
    if found:
        raise DataError(
            f"benchmark {benchmark.name}: the tiers of {_place(benchmark.tiers)} do not divide its questions; {'; '.join(found)}"
        )


def _place(source: Source) -> str:
    return str(source.path or source.hub)


def _rows(benchmark: Benchmark) -> list[Mapping[str, Any]]:
    path = local_path(benchmark.source)
    if path is None:
        return _hub_rows(benchmark)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{_place(benchmark.source)}: not a text file of JSON lines in UTF-8 ({error})") from error
    return [_parsed(line, f"{_place(benchmark.source)}, row {number}") for number, line in enumerate(lines)]


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error})") from error


def _hub_rows(benchmark: Benchmark) -> list[Mapping[str, Any]]:
    import datasets

    source = benchmark.source
    try:
        return list(
            datasets.load_dataset(
                source.hub, name=source.subset, split=source.split or "test", revision=source.revision
            )
        )
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DataError(
            f"benchmark {benchmark.name}: {source.hub} cannot be read ({reason}); give benchmark.source.path=FILE.jsonl"
        ) from error


def _question(row: Mapping[str, Any], where: str) -> Question:
    if not isinstance(row, Mapping):
        raise DataError(f"{where}: not an object with id, problem and answer")
    # Some cards of AIME24 keep the answer only in the solution's last box.
    content = {"answer": last_boxed(str(row.get("solution", ""))), **row}
    absent = [column for column in ("id", "problem", "answer") if content.get(column) in (None, "")]
    if absent:
        raise DataError(f"{where}, column {absent[0]}: missing or empty; a question needs id, problem and answer")
    return Question(id=str(content["id"]), problem=str(content["problem"]), answer=str(content["answer"]))
