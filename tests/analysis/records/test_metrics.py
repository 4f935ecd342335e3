"""avg@n and cov@k against their definitions, and what becomes of them when attempts are missing."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.analysis import avg, cell_table, cov, cov_prefix, maj, maj_table
from ablation.analysis.records.growing_k import growing_k
from ablation.analysis.records.load import ALL, Study
from ablation.analysis.records.scores import Scores
from tests.analysis.studies import BASE, QUESTIONS, build, factorial, name_of, trained, without


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_cov_is_the_share_of_all_subsets_with_a_correct_attempt(n: int) -> None:
    for c in range(n + 1):
        attempts = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            subsets = [any(chosen) for chosen in combinations(attempts, k)]
            assert cov(c, n, k) == pytest.approx(np.mean(subsets), abs=1e-12)


def test_cov_at_one_is_avg_and_beyond_n_is_undefined() -> None:
    correct = np.array([0, 3, 8])
    np.testing.assert_allclose(cov(correct, 8, 1), avg(correct, 8))
    assert np.isnan(cov(correct, 8, 9)).all()
    assert np.isnan(avg(0, 0))


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 8))
def test_the_prefix_looks_at_the_first_attempts_alone(attempts: list[bool], k: int) -> None:
    seen = float(cov_prefix(attempts, k))
    assert np.isnan(seen) if k > len(attempts) else seen == any(attempts[:k])


@pytest.mark.parametrize("function", [lambda: cov(1, 2, 0), lambda: cov_prefix([True], 0)])
def test_looking_at_no_attempt_is_an_error(function: object) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        function()  # type: ignore[operator]


@given(
    st.lists(st.sampled_from(["right", "7", "08", "8", " 8.", "x", None]), min_size=1, max_size=7), st.integers(1, 8)
)
def test_maj_is_the_share_of_right_ones_among_the_most_frequent(votes: list[str | None], k: int) -> None:
    found = maj([vote == "right" for vote in votes], [vote and vote.replace("right", "25") for vote in votes], k)
    if k > len(votes):
        assert np.isnan(found)
        return
    # By the definition: order the distinct answers at random, let the first of the most frequent win.
    same = {"08": "8", " 8.": "8"}
    seen = [same.get(vote, vote) for vote in votes[:k] if vote is not None]
    winners = [max(order, key=seen.count) for order in permutations(dict.fromkeys(seen))] if seen else ["nobody"]
    assert found == pytest.approx(np.mean([winner == "right" for winner in winners]))


def test_cov_for_growing_k_is_both_by_their_definitions() -> None:
    """Orders of attempts drawn at random; one cell lacks an attempt."""
    rng = np.random.default_rng(3)
    study = build([BASE, *factorial(seed=[0, 1])], lambda _cell, _q: 1, n=6)
    right = rng.random(len(study.results)) < 0.3
    told = study.results.assign(verdict=np.where(right, "correct", "wrong"), extracted="7")
    study = Study(study.manifest, told.sample(frac=1, random_state=1), study.cells)
    lacking = name_of(trained(seed=1))
    rows = study.results
    study = without(study, (rows["cell"] == lacking) & (rows["question"] == "q02") & (rows["attempt"] == 1))
    table = growing_k(study, Scores.of(study, partial=True))
    assert table["k"].unique().tolist() == [1, 2, 4, 6]
    for row in table.to_dict("records"):
        inside = (study.results["tier"] == row["tier"]) | (row["tier"] == ALL)
        mine = study.results[inside & (study.results["cell"] == row["cell"])].sort_values("attempt")
        attempts = [group.eq("correct").tolist() for _, group in mine.groupby("question")["verdict"]]
        if row["cell"] == lacking and row["tier"] != "hard":
            assert np.isnan(row["cov"]) and np.isnan(row["cov_prefix"])
            continue
        assert row["cov_prefix"] == pytest.approx(np.mean([any(one[: row["k"]]) for one in attempts]))
        assert row["cov"] == pytest.approx(np.mean([cov(sum(one), 6, row["k"]) for one in attempts]))


def test_counts_alone_have_no_prefix() -> None:
    study = build([trained()], lambda _cell, q: q % 3)
    table = growing_k(study, Scores.of(study))
    assert table["cov"].notna().all() and table["cov_prefix"].isna().all()


def test_maj_at_one_is_the_first_attempt_and_k_is_checked() -> None:
    assert maj([True, False], ["1", "2"], 1) == 1 and maj([False, True], ["1", "2"], 1) == 0
    with pytest.raises(ValueError, match="at least 1, not 0"):
        maj([True], ["1"], 0)


def test_right_answers_in_different_forms_vote_together() -> None:
    assert maj([True, True, False, False, False], ["1/2", "0.5", "3", "3", "4"], 5) == 0.5


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_prefix_has_the_mean_of_the_unbiased_estimate(numbers: tuple[int, int, int]) -> None:
    n, c, k = numbers
    orders = [[place in chosen for place in range(n)] for chosen in combinations(range(n), c)]
    assert np.mean([cov_prefix(order, k) for order in orders]) == pytest.approx(float(cov(c, n, k)))
    assert float(cov(c, n, k)) == pytest.approx(1 - comb(n - c, k) / comb(n, k))


def test_maj_by_cell_and_scope() -> None:
    study = _study()
    table = maj_table(study.results.assign(extracted="1"), study.tiers, 4)
    assert table.loc[name_of(trained()), "all"] == pytest.approx((0 + 0 + 0.5) / 3)  # 0, 1 and 2 of 4, the rest agree
    assert maj_table(study.results.assign(extracted="1"), study.tiers, 5).isna().all(axis=None)
    assert maj_table(study.results, study.tiers, 4).isna().all(axis=None)


def _study() -> Study:
    return build([BASE, trained()], lambda cell, q: (q % 3) if cell["count"] else 0)


def _table(study: Study) -> pd.DataFrame:
    return cell_table(study.results, study.planned, study.tiers).set_index("cell")


def test_cell_table_averages_each_tier_and_all() -> None:
    row = _table(_study()).loc[name_of(trained())]
    assert row["avg_easy"] == row["avg_all"] == pytest.approx((0 + 1 + 2) / 3 / 4)
    assert row["cov_hard"] == pytest.approx(2 / 3)
    assert (row["no_answer_rate"], row["truncated_rate"]) == (0, 0)


def test_a_missing_attempt_is_not_a_wrong_one() -> None:
    study, cell = _study(), name_of(trained())
    lost = (study.results["cell"] == cell) & (study.results["question"] == "q00") & (study.results["attempt"] == 3)
    table = _table(without(study, lost))
    assert np.isnan(table.loc[cell, ["avg_easy", "cov_easy", "avg_all", "no_answer_rate"]].astype(float)).all()
    assert table.loc[cell, "avg_hard"] == pytest.approx(0.25)  # every planned attempt of this tier is there
    assert table.loc["base", "avg_all"] == 0


def test_a_question_that_nobody_reached_makes_every_average_undefined() -> None:
    study = _study()
    table = _table(without(study, study.results["question"] == "q11"))
    assert table.filter(regex="^(avg|cov)_").isna().all(axis=None)


def test_a_tier_without_questions_and_a_study_without_results_are_undefined() -> None:
    study = build([trained()], lambda _cell, _q: 4, questions=QUESTIONS | {"exh": 0})
    assert np.isnan(_table(study)["avg_exh"].iloc[0])
    empty = without(study, study.results["attempt"] >= 0)
    assert _table(empty).filter(regex="^(avg|cov)_").isna().all(axis=None)
