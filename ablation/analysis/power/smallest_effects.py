"""The smallest effect that each planned contrast can show, before anything is trained, and what would make it smaller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import expit, logit, stdtrit

from ablation.analysis.effects.estimates import WeightedSum
from ablation.analysis.effects.factor_effects import planned_contrasts
from ablation.analysis.effects.replicates import Component, Replicates, replicates
from ablation.analysis.effects.uncertainty import ALPHA, Errors, questions_like_these, these_questions
from ablation.analysis.records.load import ALL, SEED_COLUMNS
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Scores
from ablation.specs.vocabulary import FACTORS

POWER = 0.8
STUDIES = 20
# Correct attempts of 16 on AIME24, small fine-tunings (arXiv 2504.11741, figure 1; tests/data/ladder_figure1.csv).
FIGURE_OF_16: Mapping[str, tuple[int, ...]] = {
    "easy": (16, 16, 16, 16),
    "medium": (15, 16, 16, 16, 10, 14, 10, 14, 16, 16),
    "hard": (4, 7, 3, 11, 1, 7, 7, 6, 3, 2, 5, 1),
    "exh": (0, 0, 0, 0),
}
OPTIONS = {"attempts": "twice the attempts", "seeds": "twice the seeds", "questions": "twice the questions"}


@dataclass(frozen=True)
class Assumptions:
    """The pass rates and variances that a design is judged by. SDs are of the log odds of a correct attempt."""

    tiers: tuple[str, ...]
    """The tier of each question."""
    rates_q: Floats
    """The pass rate of each question."""
    seed_sd: float = 0.15
    """SD between training seeds, the same at every question."""
    seed_question_sd: float = 0.3
    """SD of seed × question."""
    cell_question_sd: float = 0.5
    """SD of setting × question."""
    source: str = "assumed: the pass rates of small fine-tunings in the study's figure, seed SD 0.15 log odds"


def assumed_from_figure(tiers: Sequence[str]) -> Assumptions:
    """Assume the figure's rates, (c + ½) / 17, for questions of these tiers; a tier of another name takes those of all."""
    every = [count for counts in FIGURE_OF_16.values() for count in counts]
    seen: dict[str, int] = {}
    rates = []
    for tier in tiers:
        number = seen[tier] = seen.get(tier, -1) + 1
        counts = FIGURE_OF_16.get(tier, tuple(every))
        rates.append((counts[number % len(counts)] + 0.5) / 17)
    return Assumptions(tuple(tiers), np.array(rates))


def assumed_from_records(scores: Scores) -> Assumptions:
    """Assume the rates of a study's complete trained cells, (c + ½) / (n + 1), and its seed SD where it has replicates."""
    complete_c = np.isfinite(scores.rates_cq(ALL)).all(axis=1) & ~scores.is_base_c
    correct_q, attempts_q = (counts[complete_c].sum(axis=0) for counts in (scores.correct_cq, scores.attempts_cq))
    seed_sd = replicates(scores, measure(scores, ALL)).seed_sd
    assumptions = Assumptions(tuple(scores.questions["tier"]), (correct_q + 0.5) / (attempts_q + 1))
    source = f"recorded pass rates of {int(complete_c.sum())} cells, seed SD "
    if np.isnan(seed_sd):
        return replace(assumptions, source=f"{source}0.15 log odds (assumed: no setting was run with two seeds)")
    return replace(assumptions, seed_sd=seed_sd, source=f"{source}{seed_sd:.2f} log odds (recorded)")


def smallest_effects(
    cells: pd.DataFrame,
    n: int,
    assumptions: Assumptions,
    studies: int = STUDIES,
    seed: int = 0,
    power: float = POWER,
    tiers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the smallest effect that each planned contrast shows with this power, one row per contrast and tier.

    Columns: `factor level reference pairs tier questions se_these effect_these se effect reason`. `cells` has the factors
    and seeds of the planned cells. Studies without any effect are simulated with all attempts present, and analysed as real
    ones. `effect` is (t(1 − α/2) + t(power)) · SE at the mean SE and degrees of freedom, for questions like these;
    `effect_these` on these questions; both as fractions. NaN with a `reason` for what cannot be tested. A design without
    replicates could not see the seeds' variance; the assumed one is counted all the same.
    """
    blank = _blank(cells, n, assumptions)
    rng = np.random.default_rng(seed)
    simulations = [_drawn(rng, blank, assumptions) for _ in range(studies)]
    chosen = tiers or blank.all_and_tiers
    frames = [_in_tier(simulations, tier, planned_contrasts(blank, tier), power, assumptions) for tier in chosen]
    return pd.concat(frames, ignore_index=True)


def what_to_raise(
    cells: pd.DataFrame, n: int, assumptions: Assumptions, studies: int = STUDIES, seed: int = 0
) -> pd.DataFrame:
    """Return the smallest effects as planned and with twice of something: `factor effect_these effect option`.

    One row per factor and option, over all questions: the largest of the factor's contrasts.
    """
    new_seeds = cells.assign(**{name: cells[name] + 10_000 for name in SEED_COLUMNS})  # seeds that no design uses
    doubled = Assumptions(
        assumptions.tiers * 2, np.tile(assumptions.rates_q, 2), assumptions.seed_sd, assumptions.seed_question_sd
    )
    variants = {
        "as planned": (cells, n, assumptions),
        OPTIONS["attempts"]: (cells, 2 * n, assumptions),
        OPTIONS["seeds"]: (pd.concat([cells, new_seeds], ignore_index=True), n, assumptions),
        OPTIONS["questions"]: (cells, n, replace(doubled, cell_question_sd=assumptions.cell_question_sd)),
    }
    frames = []
    for option, (planned, attempts, assumption) in variants.items():
        effects = smallest_effects(planned, attempts, assumption, studies, seed)
        worst = (
            effects[effects["tier"] == ALL]
            .groupby("factor", sort=False)[["effect_these", "effect"]]
            .max()
            .reset_index()
        )
        frames.append(worst.assign(option=option))
    return pd.concat(frames, ignore_index=True)


def replicate_warning(cells: pd.DataFrame) -> str | None:
    """Return the warning that a design without replicates needs, or None."""
    trained = cells[cells["count"] > 0]
    if trained.duplicated(list(FACTORS)).any():
        return None
    return (
        "No setting is planned with two seeds: the report could not include training-seed variance, and no level could be "
        "called equivalent to another. Add seeds (sweep.design.seeds), at least to a setting or two."
    )


def effect_sentences(table: pd.DataFrame) -> list[str]:
    """Return one sentence per factor from the table of `what_to_raise`."""
    sentences = []
    for factor, group in table.groupby("factor", sort=False):
        by_option = {str(row["option"]): row for row in group.to_dict("records")}
        planned = by_option.pop("as planned")
        if np.isnan(planned["effect_these"]):
            sentences.append(f"{factor}: nothing to compare, or no variation to tell a difference from")
            continue
        best = min(by_option, key=lambda option: by_option[option]["effect_these"])
        sentences.append(
            f"{factor}: from {100 * planned['effect_these']:.1f} points on these questions, {100 * planned['effect']:.1f} for "
            f"questions like these; {best} would make it {100 * by_option[best]['effect_these']:.1f} and "
            f"{100 * by_option[best]['effect']:.1f}"
        )
    return sentences


def _in_tier(
    simulations: Sequence[Scores], tier: str, contrasts: Sequence[WeightedSum], power: float, assumptions: Assumptions
) -> pd.DataFrame:
    """Return the table of one tier: errors over all simulated studies, and the smallest effects."""
    n_questions = int(simulations[0].in_tier_q(tier).sum())
    frame = pd.DataFrame([{**contrast.labels, "tier": tier, "questions": n_questions} for contrast in contrasts])
    # A contrast that cannot be made has weights of 0, so its variance is 0 and its error NaN.
    zero_c = np.zeros(len(simulations[0].cells))
    weights_ec = np.array([zero_c if contrast.weights_c is None else contrast.weights_c for contrast in contrasts])
    errors_by_suffix: dict[str, list[Errors]] = {"_these": [], "": []}
    for scores in simulations:
        measured = measure(scores, tier)
        seeds = _seeds_seen_or_assumed(replicates(scores, measured), assumptions, n_questions)
        errors_by_suffix["_these"].append(these_questions(weights_ec, measured, seeds))
        errors_by_suffix[""].append(questions_like_these(weights_ec, measured, seeds))
    for suffix, errors in errors_by_suffix.items():
        frame[f"se{suffix}"], frame[f"effect{suffix}"] = _effect(errors, power)
    return frame.assign(reason=[contrast.reason for contrast in contrasts])


def _seeds_seen_or_assumed(seeds: Replicates, assumptions: Assumptions, n_questions: int) -> Replicates:
    """Return the components that the replicates show, or the assumed ones where nothing is planned twice."""
    if seeds.degrees:
        return seeds
    shared = assumptions.seed_sd**2
    run = shared + assumptions.seed_question_sd**2 / max(n_questions, 1)
    return replace(seeds, run=Component(run, 0.0), shared=Component(shared, 0.0))


def _effect(errors: Sequence[Errors], power: float) -> tuple[Floats, Floats]:
    """Return (SE, smallest effect) from the root mean square error and the harmonic mean of the degrees of freedom."""
    # NaN is a simulated study in which nothing varied: it has a variance of 0, and infinitely many degrees of freedom.
    variance_e = np.nan_to_num(np.array([error.se_e for error in errors]) ** 2).mean(axis=0)
    inverse_e = np.nan_to_num(1 / np.array([error.df_e for error in errors]), nan=0.0).mean(axis=0)
    df_e = np.minimum(1 / np.maximum(inverse_e, 1e-9), 1e9)
    se_e = np.where(variance_e > 0, np.sqrt(variance_e), np.nan)
    return se_e, se_e * (stdtrit(df_e, 1 - ALPHA / 2) + stdtrit(df_e, power))


def _blank(cells: pd.DataFrame, n: int, assumptions: Assumptions) -> Scores:
    n_questions = len(assumptions.tiers)
    named = (
        cells[[*FACTORS, *SEED_COLUMNS]].reset_index(drop=True).assign(cell=[f"c{row}" for row in range(len(cells))])
    )
    questions = pd.DataFrame(
        {"question": [f"q{number:04}" for number in range(n_questions)], "tier": assumptions.tiers}
    )
    shape = (len(cells), n_questions)
    correct_cq, attempts_cq = np.zeros(shape, dtype=np.int64), np.full(shape, n, dtype=np.int64)
    planned_c = np.full(len(cells), n * n_questions, dtype=np.int64)
    return Scores(named, questions, tuple(dict.fromkeys(assumptions.tiers)), n, correct_cq, attempts_cq, planned_c)


def _drawn(rng: Generator, blank: Scores, assumptions: Assumptions) -> Scores:
    """Draw counts for the blank study: log odds by question, moved by setting × question, seed and seed × question."""
    shape, setting_c = blank.correct_cq.shape, blank.setting_c
    shift_gq = assumptions.cell_question_sd * rng.normal(size=(int(setting_c.max()) + 1, shape[1]))
    eta = logit(assumptions.rates_q) + shift_gq[setting_c] + assumptions.seed_sd * rng.normal(size=(shape[0], 1))
    rates = expit(eta + assumptions.seed_question_sd * rng.normal(size=shape))
    return replace(blank, correct_cq=rng.binomial(blank.n_attempts, rates).astype(np.int64))
