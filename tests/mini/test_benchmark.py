"""The shipped benchmark: AIME24's schema, tiers by the rule, and nothing of it in any training text."""

import json
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from ablation.data.benchmark.tier_rule import ReferenceCount, question_tier, question_tiers
from ablation.mini import BENCHMARK, CANDIDATE_TIERS, CANDIDATES, CORPUS, REFERENCE_RUNS, TIERS
from ablation.mini.base_text import make_document
from ablation.mini.benchmark import CHOICE_SEED, question_row, read_reference_runs, read_tier_ids, write_reference_runs
from ablation.mini.candidates import candidates, held_out
from ablation.mini.problems import MAX_DEPTH, skeleton
from ablation.mini.question_choice import TIER_QUOTAS, TIER_RULE, choose_questions
from ablation.mini.tokenizer import ASSISTANT, USER

DOCUMENTS_SEEN = 30_000


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in BENCHMARK.read_text().splitlines()]


def test_no_question_nor_renumbered_twin_is_in_the_corpus() -> None:
    problems = pq.read_table(CORPUS, columns=["problem"])["problem"].to_pylist()
    assert not {skeleton(problem) for problem in problems} & held_out()


def test_no_question_nor_renumbered_twin_is_in_the_base_models_text() -> None:
    rng = Random("leak")
    documents = [make_document(rng, held_out()) for _ in range(DOCUMENTS_SEEN)]
    asked = {document.context.removeprefix(USER).removesuffix(ASSISTANT) for document in documents}
    assert not {skeleton(text) for text in asked} & held_out()


def test_without_the_ban_the_base_models_text_would_leak() -> None:
    rng = Random("leak")
    documents = [make_document(rng) for _ in range(DOCUMENTS_SEEN)]
    asked = {document.context.removeprefix(USER).removesuffix(ASSISTANT) for document in documents}
    assert {skeleton(text) for text in asked} & held_out()


def test_candidates_are_distinct_and_of_every_depth() -> None:
    pool = candidates()
    assert len(held_out()) == len(pool)
    assert {problem.depth for problem in pool} == set(range(1, MAX_DEPTH + 1))
    assert [json.loads(line) for line in CANDIDATES.read_text().splitlines()] == [*map(question_row, range(len(pool)))]
    assert sorted(i for mine in read_tier_ids(CANDIDATE_TIERS).values() for i in mine) == list(range(len(pool)))


def test_questions_are_candidates_in_the_schema_of_aime24() -> None:
    assert len(questions()) == sum(TIER_QUOTAS.values())
    for question in questions():
        assert question == question_row(question["id"])
        assert len(question["answer"]) == 3
        assert int(question["answer"]) == candidates()[question["id"]].answer


def test_tiers_follow_from_the_kept_reference_runs() -> None:
    chosen = read_tier_ids(TIERS)
    assert chosen == choose_questions(question_tiers(read_reference_runs(REFERENCE_RUNS), TIER_RULE), CHOICE_SEED)
    assert sorted(i for mine in chosen.values() for i in mine) == [question["id"] for question in questions()]


def counts(**correct: int) -> list[ReferenceCount[int]]:
    """Counts of 10 attempts of one question; the role is the name up to a digit."""
    return [ReferenceCount(1, name.rstrip("0123456789"), name, 10, value) for name, value in correct.items()]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (counts(base=6, small=0, large=0), "easy"),
        (counts(base=5, small=5, large=5), "hard"),
        (counts(base=5, small=6, large=0), "medium"),
        (counts(base=0, small1=10, small2=1, large=0), "medium"),
        (counts(base=0, small1=9, small2=1, large=0), "hard"),
        (counts(base=0, small=0, large=1), "hard"),
        (counts(base=0, small=0, large=0), "exh"),
        (counts(base=1, small=0, large=0), "hard"),
    ],
)
def test_the_rule_at_its_lines(table: list[ReferenceCount[int]], expected: str) -> None:
    assert question_tier(table, TIER_RULE) == expected


def test_a_question_without_base_run_is_refused() -> None:
    with pytest.raises(ValueError, match="question 1 has no reference run of role 'base'"):
        question_tier(counts(small=3, large=4), TIER_RULE)


@pytest.mark.parametrize(("role", "attempts", "correct"), [("medium", 8, 1), ("base", 8, 9), ("base", 0, 0)])
def test_impossible_counts_are_refused(role: str, attempts: int, correct: int) -> None:
    with pytest.raises(ValueError, match="question 1"):
        ReferenceCount(1, role, "m", attempts, correct)


def test_choice_is_seeded_and_refuses_a_tier_that_is_too_small() -> None:
    table = {i: "easy" if i < 10 else "hard" for i in range(20)}
    assert choose_questions(table, "a", {"easy": 3, "hard": 4}) == choose_questions(
        dict(reversed(table.items())), "a", {"easy": 3, "hard": 4}
    )
    assert choose_questions(table, "a", {"easy": 5}) != choose_questions(table, "b", {"easy": 5})
    with pytest.raises(ValueError, match="tier medium: 1 questions wanted, 0 found"):
        choose_questions(table, "a", {"medium": 1})


def test_reference_runs_survive_being_written(tmp_path: Any) -> None:
    table = counts(base=1, small=2, large=3)
    write_reference_runs(tmp_path / "runs.csv", table)
    assert read_reference_runs(tmp_path / "runs.csv") == table
