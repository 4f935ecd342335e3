"""Where the variance comes from, and so what would shrink the errors: more seeds, more attempts or more questions.

Array suffixes: a arm (setting), s seed, q question.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS, CONFIDENCE
from ablation.analysis.records.matching import comparable
from ablation.analysis.records.measures import measure
from ablation.analysis.records.scores import Floats, Scores

SOURCES = ("question", "cell", "cell × question", "seed", "seed × question", "sampling")
SEED_NOT_SEPARABLE = "no setting was run with two seeds: part of cell and cell × question"
SAMPLING_NOT_SEPARABLE = "one attempt a question: part of seed × question"
NO_VARIANCE = "every rate is the same, so there is nothing to share out"
LAYOUT_TOO_SMALL = "needs two complete settings and two questions"


@dataclass(frozen=True)
class Layout:
    """Rates of the arms that were run with one and the same number of seeds, and their sampling variance."""

    rates_asq: Floats
    sampling_q: Floats  # mean over runs


def variance_components(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """The variance of a run's rate at a question, by source, one row a source and tier.

    Columns: `tier source variance share low high arms seeds reason`. Henderson's method 1 (1953, Biometrics 9(2)): the
    mean squares of the balanced layout of settings × seeds (nested in settings) × questions, less the sampling variance
    p̂(1 − p̂) / (n − 1). Negative estimates are shown as 0. `low` and `high` bound the share: percentile bootstrap over
    questions. The layout takes the settings with the number of seeds, two or more, that most runs have.
    """
    rows = []
    for tier in scores.all_and_tiers:
        layout = _layout(scores, tier)
        if layout is None:
            rows += [_row(tier, source, (np.nan,) * 4, (0, 0), LAYOUT_TOO_SMALL) for source in SOURCES]
            continue
        found = components(layout.rates_asq, layout.sampling_q)
        low, high = _bounds(layout, min(draws, 500), seed)
        shape = layout.rates_asq.shape[:2]
        for source in SOURCES:
            value, total = found[source], np.nansum(list(found.values()))
            share = value / total if total > 0 else np.nan
            reason = SAMPLING_NOT_SEPARABLE if source == "sampling" else SEED_NOT_SEPARABLE
            reason = reason if not np.isfinite(value) else "" if total > 0 else NO_VARIANCE
            rows.append(_row(tier, source, (value, share, low[source], high[source]), shape, reason))
    return pd.DataFrame(rows)


def components(rates_asq: Floats, sampling_q: Floats) -> dict[str, float]:
    """Source → variance component, NaN for one that the layout cannot tell apart."""
    n_arms, n_seeds, n_questions = rates_asq.shape
    grand, arm_a, question_q = rates_asq.mean(), rates_asq.mean(axis=(1, 2)), rates_asq.mean(axis=(0, 1))
    arm_question_aq, run_as = rates_asq.mean(axis=1), rates_asq.mean(axis=2)
    per_question = n_arms * n_seeds
    ms_question = per_question * _ss(question_q - grand) / (n_questions - 1)
    ms_arm = n_seeds * n_questions * _ss(arm_a - grand) / (n_arms - 1)
    crossed = arm_question_aq - arm_a[:, None] - question_q + grand
    ms_arm_question = n_seeds * _ss(crossed) / ((n_arms - 1) * (n_questions - 1))
    known = float(np.mean(sampling_q))
    sampling = known if np.isfinite(known) else 0.0
    if n_seeds > 1:
        ms_run = n_questions * _ss(run_as - arm_a[:, None]) / (n_arms * (n_seeds - 1))
        inner = rates_asq - run_as[..., None] - arm_question_aq[:, None, :] + arm_a[:, None, None]
        ms_inner = _ss(inner) / (n_arms * (n_seeds - 1) * (n_questions - 1))
        seed, seed_question = (ms_run - ms_inner) / n_questions, ms_inner - sampling
        arm = (ms_arm - ms_run - ms_arm_question + ms_inner) / (n_seeds * n_questions)
    else:
        seed = seed_question = np.nan
        ms_inner = sampling
        arm = (ms_arm - ms_arm_question) / n_questions
    arm_question = (ms_arm_question - ms_inner) / n_seeds
    question = (ms_question - ms_arm_question) / per_question
    values = (question, arm, arm_question, seed, seed_question, known)
    return {
        source: max(float(value), 0.0) if np.isfinite(value) else np.nan
        for source, value in zip(SOURCES, values, strict=True)
    }


def budget(scores: Scores) -> pd.DataFrame:
    """What the SE of a contrast of two settings becomes with more of something, one row an option and tier.

    Columns: `tier option seeds attempts questions se_these se`, in fractions. On these questions
    SE² = 2/S · (seed + (seed × question + sampling · n/n′) / Q); for questions like these also 2/Q · cell × question.
    Without replicates the seed terms are not included.
    """
    rows = []
    for tier in scores.all_and_tiers:
        layout = _layout(scores, tier)
        if layout is None:
            continue
        found = {
            source: np.nan_to_num(value) for source, value in components(layout.rates_asq, layout.sampling_q).items()
        }
        _, n_seeds, n_questions = layout.rates_asq.shape
        for option, more in (("as it is", (1, 1, 1)), ("twice the attempts", (1, 2, 1)), ("twice the seeds", (2, 1, 1)),
                             ("twice the questions", (1, 1, 2))):  # fmt: skip
            s, q = n_seeds * more[0], n_questions * more[2]
            inner = found["seed × question"] + found["sampling"] / more[1]
            these = 2 / s * (found["seed"] + inner / q)
            like = these + 2 / q * found["cell × question"]
            sizes = {"seeds": s, "attempts": scores.n_attempts * more[1], "questions": q}
            rows.append({"tier": tier, "option": option, **sizes, "se_these": np.sqrt(these), "se": np.sqrt(like)})
    return pd.DataFrame(rows, columns=["tier", "option", "seeds", "attempts", "questions", "se_these", "se"])


def _layout(scores: Scores, tier: str) -> Layout | None:
    measured = measure(scores, tier)
    lines = comparable(scores, tier).index.to_numpy()
    arms = {arm: lines[scores.setting_c[lines] == arm] for arm in np.unique(scores.setting_c[lines])}
    runs_by_seeds = Counter[int]()
    for runs in arms.values():
        runs_by_seeds[len(runs)] += len(runs)
    replicated = {seeds: runs for seeds, runs in runs_by_seeds.items() if seeds > 1 and runs > seeds}
    n_seeds = max(replicated, key=lambda seeds: (replicated[seeds], seeds)) if replicated else 1
    chosen = [runs for runs in arms.values() if len(runs) == n_seeds]
    if len(chosen) < 2 or measured.values_cq.shape[1] < 2:
        return None
    flat = np.concatenate(chosen)
    rates_asq = measured.values_cq[flat].reshape(len(chosen), n_seeds, -1)
    return Layout(rates_asq, measured.sampling_cq[flat].mean(axis=0))


def _bounds(layout: Layout, draws: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    rng, n_questions = np.random.default_rng(seed), layout.rates_asq.shape[2]
    shares = []
    for _ in range(draws):
        drawn = rng.integers(n_questions, size=n_questions)
        found = components(layout.rates_asq[..., drawn], layout.sampling_q[drawn])
        total = np.nansum(list(found.values()))
        shares.append([value / total if total > 0 else np.nan for value in found.values()])
    if not shares:
        nothing = dict.fromkeys(SOURCES, np.nan)
        return nothing, nothing
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(np.array(shares), tails, axis=0)
    return dict(zip(SOURCES, low.tolist(), strict=True)), dict(zip(SOURCES, high.tolist(), strict=True))


def _ss(deviations: Floats) -> float:
    return float(np.square(deviations).sum())


def _row(tier: str, source: str, numbers: tuple[float, ...], shape: tuple[int, ...], reason: str) -> dict[str, object]:
    value, share, low, high = numbers
    sizes = {"arms": shape[0], "seeds": shape[1]}
    return {"tier": tier, "source": source, "variance": value, "share": share, "low": low, "high": high, **sizes,
            "reason": reason}  # fmt: skip
