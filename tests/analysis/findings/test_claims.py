"""The study's claims as tests: against closed forms, statsmodels, and simulated truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from ablation.analysis import Scores, weigh_claims
from ablation.analysis.curves.growth import fit_log, fit_saturating, growth
from ablation.analysis.curves.passline import neighbours, pass_bounds, pass_rules, score_bound
from ablation.analysis.effects.equivalence import equivalence, overall, tost
from ablation.analysis.ladder.potential import per_step, pooled_coverage
from ablation.analysis.ladder.rasch import fit_rasch, rasch
from ablation.analysis.ladder.scalability import guttman, held_out_h, ladder, mokken_h, question_h
from ablation.analysis.power.simulation import SimulatedWorld, crossed_settings, study
from tests.analysis.studies import BASE, build, factorial, row_of, trained

CATEGORIES = crossed_settings(category=["algebra", "geometry", "diverse"])


def test_tost_is_the_one_of_statsmodels() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 20))
    expected, *_ = ttost_paired(one, two, -0.8, 0.8)
    differences = one - two
    assert tost(differences.mean(), stats.sem(differences), 19, 0.8) == pytest.approx(expected)


def test_alike_far_and_unclear_levels_get_three_verdicts() -> None:
    world, rng = SimulatedWorld(seed_question_sd=0.0), np.random.default_rng(1)
    alike = equivalence(study(rng, world, CATEGORIES, 8, 32), "category")
    far = equivalence(study(rng, world, CATEGORIES, 8, 32, effect_g=[0, 0, 2]), "category")
    unclear = equivalence(study(rng, SimulatedWorld(seed_sd=0.3), CATEGORIES, 3, 8), "category")
    assert (overall(alike), overall(far), overall(unclear)) == ("equivalent", "different", "undecided")
    wanted = unclear[unclear["verdict"] == "undecided"]["more_seeds"].dropna()
    assert (wanted > 0).all()


def test_one_seed_never_shows_equivalence() -> None:
    found = equivalence(study(np.random.default_rng(2), SimulatedWorld(), CATEGORIES, 1, 64), "category")
    assert set(found["verdict"]) == {"undecided"} and found["reason"].str.contains("two training runs").all()


def test_a_difference_at_the_margin_is_rarely_called_equivalent() -> None:
    """Truth 4 points apart at the margin of 4: at most 5 % may be called equivalent; 60 studies, so at most 13 %."""
    rates = {"middle": (30, 0.5)}
    world, pair = (
        SimulatedWorld(question_sd=0.0, seed_question_sd=0.0, rates=rates),
        crossed_settings(category=["algebra", "diverse"]),
    )
    shift = np.log(0.54 / 0.46)
    rng = np.random.default_rng(3)
    called = [
        overall(equivalence(study(rng, world, pair, 4, 32, effect_g=[shift, 0]), "category")) == "equivalent"
        for _ in range(60)
    ]
    assert np.mean(called) <= 0.13


@given(st.integers(0, 40), st.sampled_from([1.0, 1.96, 3.2]))
def test_the_score_bound_is_wilsons_without_seed_variance(correct: int, distance: float) -> None:
    n, p = 40, correct / 40
    centre, half = p + distance**2 / 80, distance * np.sqrt(p * (1 - p) / n + distance**2 / (4 * n**2))
    low, high = ((centre + side * half) / (1 + distance**2 / n) for side in (-1, 1))
    assert score_bound(p, n, 0.0, distance, -1) == pytest.approx(low, abs=1e-6)
    assert score_bound(p, n, 0.0, distance, 1) == pytest.approx(high, abs=1e-6)
    assert score_bound(p, n, 0.1, distance, -1) <= low + 1e-6


def test_with_many_cells_below_the_line_none_passes_by_luck() -> None:
    """72 settings whose true rate is 88 %: by point estimates some cell passes nearly always, by bounds hardly ever."""
    world = SimulatedWorld(question_sd=0.0, seed_question_sd=0.0, rates={"medium": (10, 0.88)})
    grid = crossed_settings(category=list("abcdefgh"), count=[1, 2, 3], length=["long", "normal", "short"])
    rng = np.random.default_rng(4)
    tables = [pass_bounds(study(rng, world, grid, 1, 8), "medium") for _ in range(20)]
    assert np.mean([(table["estimate"] >= 0.9).any() for table in tables]) > 0.9
    assert np.mean([(table["verdict"] == "passes").any() for table in tables]) <= 0.15


def test_the_minimal_rule_and_its_refuted_neighbours_are_found() -> None:
    cells = factorial(count=[100, 500, 1000], length=["short", "normal", "long"], style=["r1", "gemini"], seed=[0, 1])
    passes = [cell for cell in cells if cell["count"] >= 500 and cell["length"] != "short" and cell["style"] == "r1"]
    study_ = build(cells, lambda cell, _q: 64 if cell in passes else 32, n=64, questions={"medium": 10})
    rules = pass_rules(pass_bounds(Scores.of(study_), "medium"))
    minimal = row_of(rules, minimal=True)
    assert (minimal["min_count"], minimal["lengths"], minimal["styles"]) == (500, ("long", "normal"), ("r1",))
    assert set(neighbours(rules)["verdict"]) == {"refuted"} and len(neighbours(rules)) == 3


def test_growth_recovers_both_shapes() -> None:
    counts = np.array([25.0, 50, 100, 200, 400, 800])
    line = fit_log(counts, (0.1 + 0.05 * np.log2(counts))[None]).parameters
    assert (line["a"][0], line["b"][0]) == (pytest.approx(0.1), pytest.approx(0.05))
    curve = fit_saturating(counts, (0.65 - 2.0 * counts**-0.5)[None]).parameters
    assert (curve["p_max"][0], curve["k"][0]) == (pytest.approx(0.65, abs=0.01), pytest.approx(2.0, rel=0.1))
    assert fit_saturating(counts, (0.1 + 0.1 * np.log2(counts))[None]).parameters["p_max"][0] <= 1


def test_growth_says_what_it_cannot_tell() -> None:
    doublings = {25: 0, 50: 1, 100: 2, 200: 3}
    scores = Scores.of(build(factorial(count=doublings), lambda cell, _q: 1 + doublings[cell["count"]], n=8))
    found = growth(scores, target=0.75, draws=50)
    assert found["reason"].str.contains("cannot be told apart").all()
    reached = row_of(found, tier="all", model="log", parameter="count_for_target")
    assert reached["estimate"] == pytest.approx(25 * 2**5)
    few = growth(Scores.of(build(factorial(count=[25, 50]), lambda _c, q: q % 4)), draws=10)
    assert few["estimate"].isna().all() and few["reason"].str.contains("fewer than 3 counts").all()


def test_h_by_hand() -> None:
    """Two questions, four runs: one error seen, 4 · ½ · ¼ expected."""
    assert mokken_h(np.array([[1, 0], [1, 0], [0, 1], [0, 0]])) == pytest.approx(1 - 1 / 0.5)
    perfect = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]])
    assert mokken_h(perfect) == 1 and guttman(perfect)[0] == 1
    assert question_h(perfect)[1:].tolist() == [1, 1]


def test_guttman_by_hand() -> None:
    """Runs 110, 101, 100: the second has two entries off its ideal 110."""
    found, floor, scale = guttman(np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]]))
    assert found == pytest.approx(7 / 9) and floor == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert scale == pytest.approx((7 / 9 - 7 / 9) / (2 / 9))


def _rows(ability_sd: float) -> Scores:
    rng, many = np.random.default_rng(5), crossed_settings(category=[f"c{place}" for place in range(40)])
    return study(
        rng, SimulatedWorld(seed_question_sd=0.0), many, 1, 8, effect_g=(ability_sd * rng.normal(size=40)).tolist()
    )


def test_h_tells_a_ladder_from_independent_questions_where_reproducibility_hardly_does() -> None:
    true, noise = ladder(_rows(2.0), draws=200), ladder(_rows(0.0), draws=200)
    assert true.h > 0.3 and true.p < 0.01 and true.low < true.h < true.high
    assert abs(noise.h) < 0.1 and noise.p > 0.05
    assert true.reproducibility - noise.reproducibility < 0.15
    assert held_out_h(_rows(2.0)) > 0.3 > abs(held_out_h(_rows(0.0)))


def test_a_ladder_of_too_little_says_so() -> None:
    found = ladder(Scores.of(build([trained()], lambda _cell, q: q % 4)))
    assert np.isnan(found.h) and found.reason.startswith("needs two complete runs")


def test_rasch_recovers_difficulties() -> None:
    rng = np.random.default_rng(6)
    difficulty, ability = np.linspace(-2, 2, 15), 1.5 * rng.normal(size=60)
    n = np.full((60, 15), 8.0)
    counts = rng.binomial(8, 1 / (1 + np.exp(difficulty - ability[:, None]))).astype(float)
    found, se, theta = fit_rasch(counts, n)
    assert np.abs((found - difficulty) / se).max() < 4
    assert np.corrcoef(theta, ability)[0, 1] > 0.95


def test_rasch_has_no_number_for_what_nobody_or_everybody_solves() -> None:
    cells = factorial(count=[25, 50, 100, 200])
    scores = Scores.of(build(cells, lambda cell, q: {0: 4, 1: 0}.get(q, q % 3 + (cell["count"] > 50))))
    found = rasch(scores)
    assert [np.isfinite(row_of(found, question=name)["difficulty"]) for name in ("q00", "q01", "q05")] == [
        False,
        False,
        True,
    ]
    assert np.isfinite(row_of(found, question="q05")["infit"])
    assert rasch(Scores.of(build([trained()], lambda _cell, q: q % 4)))["reason"].str.startswith("needs three").all()


def test_pooling_seeds_widens_coverage_and_the_step_rate_is_a_root() -> None:
    cells = factorial(style=["r1"], seed=[0, 1])
    scores = Scores.of(build([BASE, *cells], lambda cell, q: int(cell["seed"] == q % 2), n=4))
    pooled = row_of(pooled_coverage(scores), tier="all", count=50)
    assert (pooled["cov"], pooled["k"], pooled["avg"]) == (1.0, 8, pytest.approx(0.125))
    step = row_of(per_step(scores, steps=5), tier="all", count=50)
    assert step["rate"] == pytest.approx(0.125**0.2) and step["cov"] == pytest.approx(0.5)


def test_every_claim_has_a_verdict_or_says_why_not() -> None:
    grid = factorial(
        category=["algebra", "geometry"], count=[500, 1000], length=["normal", "long"], style=["r1"], seed=[0, 1]
    )
    tiers = {"easy": 4, "medium": 10, "hard": 12, "exh": 4}
    scores = Scores.of(build(grid, lambda _cell, q: 64 if q < 14 else (20 + q) if q < 26 else 0, n=64, questions=tiers))
    verdicts = {claim.name: claim.verdict for claim in weigh_claims(scores, draws=50)}
    assert verdicts["pass line"] == "supported" and verdicts["exh"] == "supported"
    assert verdicts["curation"] == "untestable" and verdicts["growth"] == "untestable"
    small = weigh_claims(Scores.of(build([BASE, trained()], lambda _cell, q: q % 4)), draws=20)
    assert all("training-seed variance is not included" in one.text for one in small if one.verdict != "untestable")
    empty = weigh_claims(Scores.of(build([BASE, trained()], lambda _c, _q: 0, failed=[0, 1]), partial=True), draws=20)
    assert {claim.verdict for claim in empty} == {"untestable"}
