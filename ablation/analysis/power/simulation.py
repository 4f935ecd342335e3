"""Studies with known truth, made without records: counts drawn from stated pass rates."""

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
    """What moves the log odds of a correct attempt, as standard deviations; `rates` are tier → (questions, rate)."""

    question_sd: float = 0.5
    arm_question_sd: float = 0.0
    seed_sd: float = 0.0
    seed_question_sd: float = 0.3
    rates: Mapping[str, tuple[int, float]] = field(default_factory=lambda: TIER_RATES)

    def log_odds(self, rng: Generator) -> tuple[list[str], Floats]:
        """(tier, log odds) of each question of one benchmark."""
        tiers = [tier for tier, (size, _) in self.rates.items() for _ in range(size)]
        centre = np.array([logit(rate) for size, rate in self.rates.values() for _ in range(size)])
        return tiers, centre + self.question_sd * rng.normal(size=len(centre))


def study(
    rng: Generator,
    world: SimulatedWorld,
    crossed_settings: pd.DataFrame,
    seeds: int,
    n: int,
    effect_a: Sequence[float] | None = None,
    questions: tuple[list[str], Floats] | None = None,
) -> Scores:
    """One simulated study of `crossed_settings` (rows: category count length style) × seeds × questions × n attempts."""
    tiers, log_odds_q = questions or world.log_odds(rng)
    n_arms, n_questions = len(crossed_settings), len(tiers)
    shift_a = np.zeros(n_arms) if effect_a is None else np.asarray(effect_a, dtype=np.float64)
    eta = log_odds_q + shift_a[:, None, None] + world.arm_question_sd * rng.normal(size=(n_arms, 1, n_questions))
    eta = eta + world.seed_sd * rng.normal(size=(n_arms, seeds, 1))
    eta = eta + world.seed_question_sd * rng.normal(size=(n_arms, seeds, n_questions))
    correct = rng.binomial(n, expit(eta)).reshape(n_arms * seeds, n_questions)
    cells = crossed_settings.loc[crossed_settings.index.repeat(seeds)].reset_index(drop=True)
    for name in ("seed", *SEED_COLUMNS):
        cells[name] = np.tile(np.arange(seeds), n_arms)
    cells.insert(0, "cell", [f"c{place}" for place in range(len(cells))])
    return Scores(
        cells.assign(state="done"),
        pd.DataFrame({"question": [f"q{place:02}" for place in range(n_questions)], "tier": tiers}),
        tuple(dict.fromkeys(tiers)),
        n,
        correct.astype(np.int64),
        np.full(correct.shape, n, dtype=np.int64),
        np.full(len(cells), n * n_questions, dtype=np.int64),
    )


def crossed_settings(**levels: Sequence[object]) -> pd.DataFrame:
    """The crossed settings of the given factors; the others at one level."""
    usual: dict[str, Sequence[object]] = {
        "category": ["diverse"],
        "count": [100],
        "length": ["normal"],
        "style": ["r1"],
    }
    crossed = product(*(usual | levels).values())
    return pd.DataFrame([list(row) for row in crossed], columns=list(usual))
