"""avg@n and cov@k against their definitions, and what becomes of them when attempts are missing."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.analysis import avg, cell_table, cov, cov_prefix
from ablation.analysis.study import Study

from .studies import BASE, QUESTIONS, build, name_of, trained, without


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
