"""The sampled mixed model finds what a simulated study was made with, and says when it cannot."""

import importlib.util

import numpy as np
import pytest

from ablation.analysis import bayesian_model, model_table
from ablation.analysis.power.simulation import SimulatedWorld, crossed_settings, study
from ablation.errors import UsageError

WORLD = SimulatedWorld(question_sd=0.5, seed_sd=0.1, seed_question_sd=0.2, rates={"medium": (16, 0.6)})
ARMS = crossed_settings(style=["r1", "gemini"], length=["normal", "short"])
HERE = importlib.util.find_spec("bambi") is not None


@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="bambi is not here: pip install 'ablation[bayes]'")
@pytest.mark.filterwarnings("ignore")
def test_the_truth_lies_in_its_intervals_and_near_the_model_table() -> None:
    shift = {"gemini": -0.8, "short": 0.5}
    effects = [sum(shift.get(str(one), 0.0) for one in row) for row in ARMS.itertuples(index=False)]
    scores = study(np.random.default_rng(5), WORLD, ARMS, seeds=2, n=16, effect_g=effects)
    found = bayesian_model(scores, draws=1000, chains=2).set_index("level")
    assert set(found.index) == set(shift) and not found["reason"].any()
    marginal = model_table(scores).query("tier == 'all'").set_index("level")
    for level, truth in shift.items():
        row = found.loc[level]
        assert row["low"] < truth < row["high"] and row["low"] < row["log_odds"] < row["high"]
        # Averaged over questions, log odds shrink a little towards 0.
        assert row["log_odds"] == pytest.approx(marginal.loc[level, "log_odds"], rel=0.3)
    again = bayesian_model(scores, draws=1000, chains=2).set_index("level")
    assert again.equals(found)


def test_what_cannot_be_estimated_has_a_reason() -> None:
    few = SimulatedWorld(rates={"medium": (4, 0.6)})
    found = bayesian_model(study(np.random.default_rng(5), few, ARMS, seeds=1, n=4))
    assert len(found) == 2 and found["reason"].all() and found["log_odds"].isna().all()


@pytest.mark.skipif(HERE, reason="bambi is here")
def test_without_the_extra_it_says_what_to_install() -> None:
    scores = study(np.random.default_rng(5), WORLD, ARMS, seeds=1, n=4)
    with pytest.raises(UsageError, match="bayes"):
        bayesian_model(scores)
