"""Conditions, interactions, the model table and the variance components agree with simulated studies of known truth.

Walks through analysis.
"""

import numpy as np
import pytest
from scipy import stats

from ablation.analysis import Scores
from ablation.analysis.effects.conditions import cell_errors, common_k, conditions, exact_interval
from ablation.analysis.effects.interactions import interactions
from ablation.analysis.effects.model import model_table
from ablation.analysis.effects.variance import budget, components, variance_components
from ablation.analysis.power.simulation import SimulatedWorld, crossed_settings, study
from tests.analysis.studies import build, factorial, row_of, trained

GRID = crossed_settings(count=[50, 100, 200], style=["r1", "gemini"])


def _scores(seeds: int = 3, n: int = 8, seed_sd: float = 0.0, seed_question_sd: float = 0.3) -> Scores:
    world = SimulatedWorld(seed_sd=seed_sd, seed_question_sd=seed_question_sd)
    return study(np.random.default_rng(0), world, GRID, seeds, n)


def test_a_condition_is_the_mean_of_its_runs() -> None:
    scores = _scores()
    found = conditions(scores, draws=0)
    mine = (scores.cells["count"] == 100) & (scores.cells["style"] == "gemini")
    row = row_of(found, count=100, style="gemini", tier="all", measure="avg")
    assert row["estimate"] == pytest.approx(scores.averages().loc[mine, "all"].mean()) and row["runs"] == 3
    assert common_k(scores) == 8 and (found["k"] == 8).all()
    wide = found.pivot(index=["count", "style", "tier"], columns="measure", values="estimate")
    np.testing.assert_allclose(wide["cov"] - wide["avg"], wide["gap"], atol=1e-9)


@pytest.mark.parametrize(("correct", "attempts"), [(0, 12), (12, 12), (3, 12)])
def test_the_exact_interval_is_scipys(correct: int, attempts: int) -> None:
    expected = stats.binomtest(correct, attempts).proportion_ci(method="exact")
    assert exact_interval(correct, attempts) == pytest.approx((expected.low, expected.high))


def test_a_condition_at_the_floor_is_bounded_exactly() -> None:
    found = conditions(Scores.of(build([trained()], lambda _cell, q: 0 if q > 5 else 2)), draws=0)
    row = row_of(found, tier="hard", measure="avg")
    assert (row["low_these"], row["high_these"]) == pytest.approx(exact_interval(0, 24))
    assert np.isnan(row["low"]) and "exact binomial" in row["reason"]


def test_cell_errors_are_those_of_their_attempts() -> None:
    scores = _scores()
    rates_q = scores.rates_cq("medium")[4]
    row = row_of(cell_errors(scores), cell="c4")
    assert row["avg_medium_se"] == pytest.approx(np.sqrt((rates_q * (1 - rates_q) / 7).sum()) / 10)
    assert row["avg_medium_se_questions"] == pytest.approx(stats.sem(rates_q))
    assert np.isnan(row["avg_easy_se_questions"])


def test_an_interaction_is_a_difference_of_differences() -> None:
    cells = factorial(count=[50, 100], length=["normal"], style=["r1", "gemini"])
    only = {(100, "r1"): 3}
    found = interactions(
        Scores.of(build(cells, lambda cell, q: only.get((cell["count"], cell["style"]), 1) + q % 2)), draws=0
    )
    row = row_of(found, factor="count", other="style", tier="all")
    assert (row["estimate"], row["sets"], row["other_level"]) == (pytest.approx(-0.5), 1, "gemini")
    alone = interactions(
        Scores.of(build([trained(), trained(style="gemini"), trained(count=100)], lambda _c, q: q % 4)), draws=0
    )
    row = row_of(alone, factor="count", other="style", tier="all")
    assert np.isnan(row["estimate"]) and "no four complete cells" in row["reason"]


def test_the_model_finds_what_was_put_in() -> None:
    counts, styles = GRID["count"].to_numpy(dtype=float), GRID["style"].to_numpy()
    effects = 0.5 * np.log2(counts / 50) - 1.0 * (styles == "gemini")
    world = SimulatedWorld(question_sd=1.0, seed_question_sd=0.0, rates={"middle": (40, 0.5)})
    scores = study(np.random.default_rng(1), world, GRID, 2, 16, effect_g=effects)
    found = model_table(scores)
    style, count = (row_of(found, tier="all", factor=factor) for factor in ("style", "count"))
    assert style["low"] < -0.85 < style["high"] < 0  # a population average is a little nearer 0
    assert count["low"] < 0.43 < count["high"]
    assert not found.loc[found["tier"] == "all", "reason"].any()


def test_the_model_says_why_it_cannot_be_fitted() -> None:
    flat = model_table(Scores.of(build([trained(), trained(style="gemini")], lambda _cell, _q: 4)))
    assert flat["log_odds"].isna().all() and "every attempt went one way" in set(flat["reason"])
    assert model_table(Scores.of(build([trained()], lambda _cell, q: q % 4))).empty


def test_components_are_recovered_from_a_normal_layout() -> None:
    """Additive truth: question 4, cell 2, cell × question 1, seed .5, seed × question .25 (as SDs of 2, √2, 1, …)."""
    rng, shape = np.random.default_rng(2), (60, 3, 40)
    truth = {"question": 4.0, "cell": 2.0, "cell × question": 1.0, "seed": 0.5, "seed × question": 0.25}
    sizes = [(1, 1, 40), (60, 1, 1), (60, 1, 40), (60, 3, 1), shape]
    rates = sum(np.sqrt(v) * rng.normal(size=s) for v, s in zip(truth.values(), sizes, strict=True))
    found = components(np.broadcast_to(rates, shape).copy(), np.zeros(40))
    for source, value in truth.items():
        assert found[source] == pytest.approx(value, rel=0.45), source
    assert found["sampling"] == 0


def test_shares_add_to_one_and_name_what_is_confounded() -> None:
    found = variance_components(_scores(seed_sd=0.3), draws=50)
    assert found.groupby("tier")["share"].sum().to_numpy() == pytest.approx(1)
    assert (found["seeds"] == 3).all() and (found["low"] <= found["high"]).all()
    single = variance_components(_scores(seeds=1), draws=20)
    assert single[single["source"] == "seed"]["reason"].str.contains("no setting was run with two seeds").all()


def test_the_budget_says_whether_seeds_or_attempts_help() -> None:
    noisy_seeds, noisy_attempts = (
        {option: row_of(found, tier="all", option=option)["se_these"] for option in found["option"].unique()}
        for found in (budget(_scores(seeds=4, n=64, seed_sd=0.8)), budget(_scores(seeds=4, n=2, seed_question_sd=0.0)))
    )
    assert noisy_seeds["twice the attempts"] > 0.95 * noisy_seeds["as it is"]
    assert noisy_seeds["twice the seeds"] == pytest.approx(noisy_seeds["as it is"] / np.sqrt(2))
    assert noisy_attempts["twice the attempts"] < 0.85 * noisy_attempts["as it is"]
