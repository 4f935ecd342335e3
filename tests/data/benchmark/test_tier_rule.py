"""The tier rule on the published counts, and for any counts."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.data.benchmark.tier_rule import (
    STUDY_TIERS,
    ReferenceCount,
    TierRule,
    disagreements,
    question_tier,
    question_tiers,
)
from tests.conftest import ROOT

COLUMNS = {
    "base": ("base_correct_of_8", 8),
    "small": ("small_sft_correct_of_16", 16),
    "large": ("large_correct_of_24", 24),
}


def published() -> tuple[list[ReferenceCount[int]], dict[int, str]]:
    with (ROOT / "tests/data/ladder_figure1.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    counts = [
        ReferenceCount(int(row["id"]), role, role, n, int(row[column]))
        for row in rows
        for role, (column, n) in COLUMNS.items()
    ]
    return counts, {int(row["id"]): row["tier"] for row in rows}


def test_the_bare_rule_and_the_labels_differ_in_one_question() -> None:
    counts, labels = published()
    found = question_tiers(counts, TierRule())
    assert [list(labels.values()).count(name) for name in STUDY_TIERS] == [4, 10, 12, 4]
    assert [list(found.values()).count(name) for name in STUDY_TIERS] == [4, 11, 11, 4]
    assert disagreements(found, labels) == [70]


def test_by_the_letter_one_success_of_a_strong_model_ends_exh() -> None:
    counts, _ = published()
    assert question_tiers(counts, TierRule(exh_over="each"))[89] == "hard"


@given(st.tuples(*[st.integers(0, 8)] * 3), st.sampled_from(["pooled", "each"]))
def test_one_more_success_never_makes_a_question_harder(right: tuple[int, int, int], over: str) -> None:
    rule = TierRule(exh_over=over)  # type: ignore[arg-type]

    def place(successes: tuple[int, ...]) -> int:
        counts = [ReferenceCount(1, role, role, 8, one) for role, one in zip(COLUMNS, successes, strict=True)]
        return STUDY_TIERS.index(question_tier(counts, rule))

    for role in range(3):
        more = tuple(min(8, one + (index == role)) for index, one in enumerate(right))
        assert place(more) <= place(right)


def test_a_rule_needs_its_roles_and_counts_that_can_be() -> None:
    with pytest.raises(ValueError, match="question 1 has no reference run of role 'small'"):
        question_tier([ReferenceCount(1, "base", "m", 8, 0)], TierRule())
    for attempts, correct in ((0, 0), (4, 5), (4, -1)):
        with pytest.raises(ValueError, match="is not a count"):
            ReferenceCount(1, "base", "m", attempts, correct)
    with pytest.raises(ValueError, match="'teacher' of question 1 is none of"):
        ReferenceCount(1, "teacher", "m", 1, 1)
