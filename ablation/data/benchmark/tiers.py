"""Tiers are data: a YAML file that maps each tier's name to question ids, a column of the benchmark, or numbers of steps.

Without any, every question is in one tier.
"""

from functools import lru_cache

import yaml

from ablation.data.benchmark.questions import read_questions, tiers_by_steps
from ablation.data.rows import holds_only_texts, read_rows
from ablation.data.source import local_path, source_name
from ablation.errors import DataError
from ablation.specs import Benchmark, Source

UNDIVIDED = "questions"


@lru_cache(maxsize=16)
def read_tiers(benchmark: Benchmark) -> dict[str, str]:
    """The tier of each question id, tiers in file order. Raises DataError unless the tiers partition the questions."""
    if benchmark.steps:
        return tiers_by_steps(benchmark)
    if benchmark.tiers is None:
        return _tiers_of_rows(benchmark)
    pairs = [(one, tier) for tier, members in tier_members(benchmark.tiers).items() for one in members]
    _check_partition(benchmark, benchmark.tiers, [one for one, _ in pairs])
    return dict(pairs)


def tier_members(source: Source) -> dict[str, list[str]]:
    """Tier → question ids, as the file has them. Raises DataError when it is not such a map."""
    path = local_path(source)
    if path is None:
        raise DataError(f"tiers {source_name(source)}: must be a local YAML file, not a hub id")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(tier): [str(one) for one in members] for tier, members in content.items()}
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a map from tier to question ids ({str(error).splitlines()[0]})") from error


def tier_names(benchmark: Benchmark) -> list[str]:
    """The tiers in the order of the file or of `steps`; those of a column by name."""
    if benchmark.steps:
        return list(benchmark.steps.tiers)
    names = dict.fromkeys(read_tiers(benchmark).values())
    return list(names) if benchmark.tiers else sorted(names)


def _tiers_of_rows(benchmark: Benchmark) -> dict[str, str]:
    questions = read_questions(benchmark)
    column = benchmark.columns.tier if benchmark.columns else None
    if column is None:
        return {question.id: UNDIVIDED for question in questions}
    digits_are_numbers = holds_only_texts(benchmark.source)
    found = {}
    for question, (where, row) in zip(questions, read_rows(benchmark.source, "benchmark"), strict=True):
        if row.get(column) in (None, ""):
            raise DataError(f"{where}, column {column}: missing or empty; it names the question's tier")
        is_number = isinstance(row[column], int) or (digits_are_numbers and row[column].isdecimal())
        found[question.id] = f"{column} {row[column]}" if is_number else str(row[column])
    return found


def _check_partition(benchmark: Benchmark, tiers: Source, labelled: list[str]) -> None:
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
            f"benchmark {benchmark.name}: the tiers of {source_name(tiers)} do not divide its questions; {'; '.join(found)}"
        )
