"""Simulated studies with a known truth: counts drawn from stated pass rates, without records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import expit, logit

from ablation.analysis.records.load import SEED_COLUMNS
from ablation.analysis.records.scores import Floats, Scores

# Tier → (questions, pass rate): the shape of AIME24 after fine-tuning on a thousand trajectories.
TIER_RATES: Mapping[str, tuple[int, float]] = {
    "easy": (4, 0.98), "medium": (10, 0.9), "hard": (12, 0.45), "exh": (4, 0.02),
}  # fmt: skip


@dataclass(frozen=True)
class SimulatedWorld:
    """The truth that studies are drawn from: standard deviations of the log odds of a correct attempt, and pass rates."""

    question_sd: float = 0.5
    """SD between the questions of a tier."""
    setting_question_sd: float = 0.0
    """SD of setting × question."""
    seed_sd: float = 0.0
    """SD between training seeds, the same at every question."""
    seed_question_sd: float = 0.3
    """SD of seed × question."""
    rates: Mapping[str, tuple[int, float]] = field(default_factory=lambda: TIER_RATES)
    """Tier → (number of questions, pass rate)."""

    def log_odds(self, rng: Generator) -> tuple[list[str], Floats]:
        """Draw the questions of one benchmark: (tiers, log odds)."""
        tiers = [tier for tier, (size, _) in self.rates.items() for _ in range(size)]
        centre = np.array([logit(rate) for size, rate in self.rates.values() for _ in range(size)])
        return tiers, centre + self.question_sd * rng.normal(size=len(centre))


def study(
    rng: Generator,
    world: SimulatedWorld,
    crossed_settings: pd.DataFrame,
    seeds: int,
    n: int,
    effect_g: Sequence[float] | None = None,
    questions: tuple[list[str], Floats] | None = None,
) -> Scores:
    """Simulate one study of `settings` (rows: category count length style) × seeds × questions × n attempts.

    `effect_g` shifts the log odds of each setting. `questions` are those of `world.log_odds`; without them they are drawn.
    """
    tiers, log_odds_q = questions or world.log_odds(rng)
    n_settings, n_questions = len(crossed_settings), len(tiers)
    shift_g = np.zeros(n_settings) if effect_g is None else np.asarray(effect_g, dtype=np.float64)
    eta = (
        log_odds_q + shift_g[:, None, None] + world.setting_question_sd * rng.normal(size=(n_settings, 1, n_questions))
    )
    eta = eta + world.seed_sd * rng.normal(size=(n_settings, seeds, 1))
    eta = eta + world.seed_question_sd * rng.normal(size=(n_settings, seeds, n_questions))
    correct = rng.binomial(n, expit(eta)).reshape(n_settings * seeds, n_questions)
    cells = crossed_settings.loc[crossed_settings.index.repeat(seeds)].reset_index(drop=True)
    for name in ("seed", *SEED_COLUMNS):
        cells[name] = np.tile(np.arange(seeds), n_settings)
    cells.insert(0, "cell", [f"c{row}" for row in range(len(cells))])
    return Scores(
        cells.assign(state="done"),
        pd.DataFrame({"question": [f"q{number:02}" for number in range(n_questions)], "tier": tiers}),
        tuple(dict.fromkeys(tiers)),
        n,
        correct.astype(np.int64),
        np.full(correct.shape, n, dtype=np.int64),
        np.full(len(cells), n * n_questions, dtype=np.int64),
    )


def crossed_settings(**levels: Sequence[object]) -> pd.DataFrame:
    """Return all combinations of these levels, with the other factors at one level each; one row per setting."""
    usual: dict[str, Sequence[object]] = {
        "category": ["diverse"],
        "count": [100],
        "length": ["normal"],
        "style": ["r1"],
    }
    crossed = product(*(usual | levels).values())
    return pd.DataFrame([list(row) for row in crossed], columns=list(usual))
