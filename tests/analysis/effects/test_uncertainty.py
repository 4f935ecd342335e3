"""Errors against closed forms, scipy and studies with known truth."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.multiplicity import holm
from ablation.analysis.effects.replicates import replicates
from ablation.analysis.effects.uncertainty import expanded_tail
from ablation.analysis.power import simulation as simulated
from ablation.analysis.power.simulation import SimulatedWorld
from ablation.analysis.records.measures import coverage_at, gap_at, measure
from ablation.analysis.records.scores import Floats, Scores
from benchmarks.intervals import coverage

TWO = simulated.crossed_settings(style=["r1", "gemini"])
WEIGHTS = {seeds: np.repeat([1.0, -1.0], seeds) / seeds for seeds in (1, 2, 4)}


def _contrast(scores: Scores, weights_c: Floats, tier: str = "all", draws: int = 0) -> dict[str, Any]:
    return {str(k): v for k, v in estimate(scores, tier, [WeightedSum({}, weights_c)], draws).iloc[0].items()}


def test_with_one_seed_the_error_is_the_paired_t_test_over_questions() -> None:
    scores = simulated.study(np.random.default_rng(0), SimulatedWorld(setting_question_sd=1.0), TWO, seeds=1, n=64)
    row, rates_cq = _contrast(scores, WEIGHTS[1]), scores.rates_cq("all")
    paired = stats.ttest_rel(rates_cq[0], rates_cq[1])
    interval = paired.confidence_interval()
    assert (row["low"], row["high"], row["p"]) == pytest.approx((interval.low, interval.high, paired.pvalue), rel=1e-6)
    assert row["df"] == 29


def test_on_these_questions_with_one_seed_the_error_is_the_attempts_alone() -> None:
    scores = simulated.study(np.random.default_rng(0), SimulatedWorld(), TWO, seeds=1, n=8)
    rates_cq = scores.rates_cq("all")
    variance = (rates_cq * (1 - rates_cq) / 7).sum() / 30**2
    assert _contrast(scores, WEIGHTS[1])["se_these"] == pytest.approx(np.sqrt(variance))


def test_the_sampling_variance_of_cov_is_the_parametric_bootstraps() -> None:
    scores = simulated.study(np.random.default_rng(1), SimulatedWorld(), TWO, seeds=1, n=8)
    rng, rates_cq = np.random.default_rng(2), scores.rates_cq("all")
    drawn = rng.binomial(8, rates_cq, size=(20_000, *rates_cq.shape))
    for of in (coverage_at(4), gap_at(8)):
        expected = of(drawn.astype(float), 8).var(axis=0) * 8 / 7
        np.testing.assert_allclose(measure(scores, "all", of).sampling_cq, expected, atol=0.006)


def test_seed_variance_is_recovered_and_absent_without_replicates() -> None:
    rng, world = np.random.default_rng(3), SimulatedWorld(seed_sd=0.4, seed_question_sd=0.0)
    found = [
        replicates(scores, measure(scores, "all")).run.value
        for scores in (simulated.study(rng, world, TWO, seeds=4, n=16) for _ in range(100))
    ]
    assert np.mean(found) == pytest.approx(0.4**2, rel=0.2)
    alone = simulated.study(rng, world, TWO, seeds=1, n=16)
    assert np.isnan(replicates(alone, measure(alone, "all")).seed_sd)
    assert "not included" in str(_contrast(alone, WEIGHTS[1])["estimand"])


def test_a_replicated_anchor_lends_its_seed_variance_to_single_runs() -> None:
    rng, world = np.random.default_rng(4), SimulatedWorld(seed_sd=0.5)
    scores = simulated.study(rng, world, simulated.crossed_settings(style=["r1", "gemini", "other"]), seeds=4, n=8)
    single = ~(scores.cells["style"].ne("other") & scores.cells["seed"].ne(0)).to_numpy()
    fewer = Scores(
        scores.cells[single].reset_index(drop=True), scores.questions, scores.tiers, 8,
        scores.correct_cq[single], scores.attempts_cq[single], scores.planned_c[single],
    )  # fmt: skip
    weights_c = np.array([1.0, -1.0, 0, 0, 0, 0])
    with_anchor = _contrast(fewer, weights_c)
    sampling = np.sqrt(measure(fewer, "all").sampling_c[:2].sum())
    assert with_anchor["se_these"] > 1.2 * sampling


def test_what_never_varies_has_no_interval_but_a_reason() -> None:
    scores = simulated.study(
        np.random.default_rng(0), SimulatedWorld(rates={"easy": (8, 1 - 1e-12)}), TWO, seeds=2, n=8
    )
    row = _contrast(scores, WEIGHTS[2])
    assert row["estimate"] == 0 and np.isnan(row["low"]) and np.isnan(row["low_these"]) and np.isnan(row["p"])
    assert row["reason"] == "nothing varied, so no error can be estimated"


def test_one_attempt_a_question_borrows_from_the_other_seeds() -> None:
    scores = simulated.study(np.random.default_rng(5), SimulatedWorld(), TWO, seeds=4, n=1)
    assert np.isfinite(_contrast(scores, WEIGHTS[4])["se_these"])
    alone = _contrast(simulated.study(np.random.default_rng(5), SimulatedWorld(), TWO, seeds=1, n=1), WEIGHTS[1])
    assert np.isnan(alone["se_these"]) and np.isfinite(alone["se"])


def test_the_bootstrap_over_questions_is_scipys() -> None:
    """Percentile intervals of the paired differences; 20,000 draws each, so the ends differ by their noise."""
    scores = simulated.study(np.random.default_rng(8), SimulatedWorld(setting_question_sd=0.5), TWO, seeds=1, n=8)
    ours = _contrast(scores, WEIGHTS[1], draws=20_000)
    difference_q = WEIGHTS[1] @ scores.rates_cq("all")
    level = 1 - 2 * expanded_tail(len(difference_q))
    theirs = stats.bootstrap(
        (difference_q,), np.mean, n_resamples=20_000, confidence_level=level, method="percentile",
        rng=np.random.default_rng(9),
    ).confidence_interval  # fmt: skip
    assert (ours["low_bootstrap"], ours["high_bootstrap"]) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_the_sign_turns_the_interval_and_the_bootstrap_depends_on_its_seed_alone() -> None:
    scores = simulated.study(np.random.default_rng(6), SimulatedWorld(seed_sd=0.3), TWO, seeds=4, n=8)
    one, turned = _contrast(scores, WEIGHTS[4], draws=500), _contrast(scores, -WEIGHTS[4], draws=500)
    for name in ("", "_these", "_bootstrap"):
        assert (one[f"low{name}"], one[f"high{name}"]) == pytest.approx((-turned[f"high{name}"], -turned[f"low{name}"]))
    assert one == _contrast(scores, WEIGHTS[4], draws=500)


def test_recording_every_attempt_twice_does_not_halve_the_interval() -> None:
    """Copies are not evidence: between-question and between-seed variance stay."""
    scores = simulated.study(
        np.random.default_rng(7), SimulatedWorld(seed_sd=0.3, setting_question_sd=0.5), TWO, seeds=4, n=8
    )
    twice = Scores(
        scores.cells,
        scores.questions,
        scores.tiers,
        16,
        2 * scores.correct_cq,
        2 * scores.attempts_cq,
        2 * scores.planned_c,
    )
    before, after = _contrast(scores, WEIGHTS[4]), _contrast(twice, WEIGHTS[4])
    assert after["se"] == pytest.approx(before["se"], rel=0.1)


def test_holm_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(8).uniform(size=20) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_allclose(holm([np.nan, 0.01, 0.04]), [np.nan, 0.02, 0.04])


@pytest.mark.parametrize(("seeds", "n", "seed_sd"), [(1, 8, 0.0), (2, 8, 0.15), (4, 8, 0.15)])
def test_intervals_cover_the_truth_in_a_few_hundred_studies(seeds: int, n: int, seed_sd: float) -> None:
    """250 studies each: the standard error of a coverage of 95 % is 1.4 points."""
    world = SimulatedWorld(seed_sd=seed_sd, seed_question_sd=0.3 if seeds > 1 else 0)
    these, like = coverage(world, seeds, n, 250)
    assert these[0] >= 0.91 and like[0] >= 0.91


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("seeds", "seed_sd"), [(1, 0.0), (4, 0.15)])
def test_intervals_cover_the_truth_in_thousands_of_studies(seeds: int, seed_sd: float) -> None:
    world = SimulatedWorld(seed_sd=seed_sd, seed_question_sd=0.3 if seeds > 1 else 0)
    these, like = coverage(world, seeds, 8, 4000)
    assert these[0] >= 0.935 and like[0] >= 0.935
