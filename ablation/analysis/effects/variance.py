"""Components of variance, and so what would shrink the errors: more seeds, more attempts or more questions."""

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
    """A balanced layout: the settings that were run with the same number of seeds."""

    rates_grq: Floats
    """Rates: settings × runs (seeds) × questions."""
    sampling_q: Floats
    """The sampling variance of a rate, mean over the runs."""


def variance_components(scores: Scores, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED) -> pd.DataFrame:
    """Divide the variance of a run's rate at a question among its sources, one row per source and tier.

    Columns: `tier source variance share low high arms seeds reason` (`arms` is the number of settings). Henderson's
    method 1 (1953, Biometrics 9(2)): the mean squares of the balanced layout of settings × seeds (nested in settings) ×
    questions, less the sampling variance p̂(1 − p̂) / (n − 1). Negative estimates are shown as 0. `low` and `high` bound the
    share: percentile bootstrap over questions. The layout takes the settings with the number of seeds, two or more, that
    most runs have; without any, all single runs.
    """
    rows = []
    for tier in scores.all_and_tiers:
        layout = _layout(scores, tier)
        if layout is None:
            rows += [_row(tier, source, (np.nan,) * 4, (0, 0), LAYOUT_TOO_SMALL) for source in SOURCES]
            continue
        variances = components(layout.rates_grq, layout.sampling_q)
        low, high = _bounds(layout, min(draws, 500), seed)
        shape = layout.rates_grq.shape[:2]
        for source in SOURCES:
            value, total = variances[source], np.nansum(list(variances.values()))
            share = value / total if total > 0 else np.nan
            reason = SAMPLING_NOT_SEPARABLE if source == "sampling" else SEED_NOT_SEPARABLE
            reason = reason if not np.isfinite(value) else "" if total > 0 else NO_VARIANCE
            rows.append(_row(tier, source, (value, share, low[source], high[source]), shape, reason))
    return pd.DataFrame(rows)


def components(rates_grq: Floats, sampling_q: Floats) -> dict[str, float]:
    """Return source → component of variance; NaN for a source that the layout cannot tell apart.

    Each component is a difference of mean squares: their expectations are sums of components (Henderson 1953), so what
    one mean square has and another has not remains.
    """
    n_settings, n_seeds, n_questions = rates_grq.shape
    grand, setting_g, question_q = rates_grq.mean(), rates_grq.mean(axis=(1, 2)), rates_grq.mean(axis=(0, 1))
    setting_question_gq, run_gr = rates_grq.mean(axis=1), rates_grq.mean(axis=2)
    per_question = n_settings * n_seeds
    ms_question = per_question * _ss(question_q - grand) / (n_questions - 1)
    ms_setting = n_seeds * n_questions * _ss(setting_g - grand) / (n_settings - 1)
    crossed = setting_question_gq - setting_g[:, None] - question_q + grand
    ms_setting_question = n_seeds * _ss(crossed) / ((n_settings - 1) * (n_questions - 1))
    # NaN with one attempt a question: then sampling stays inside seed × question, and is shown as not separable.
    measured_sampling = float(np.mean(sampling_q))
    sampling = measured_sampling if np.isfinite(measured_sampling) else 0.0
    if n_seeds > 1:
        ms_run = n_questions * _ss(run_gr - setting_g[:, None]) / (n_settings * (n_seeds - 1))
        inner = rates_grq - run_gr[..., None] - setting_question_gq[:, None, :] + setting_g[:, None, None]
        ms_inner = _ss(inner) / (n_settings * (n_seeds - 1) * (n_questions - 1))
        seed, seed_question = (ms_run - ms_inner) / n_questions, ms_inner - sampling
        setting = (ms_setting - ms_run - ms_setting_question + ms_inner) / (n_seeds * n_questions)
    else:
        # One run a setting: what seeds do stays inside the components of cell and cell × question.
        seed = seed_question = np.nan
        ms_inner = sampling
        setting = (ms_setting - ms_setting_question) / n_questions
    setting_question = (ms_setting_question - ms_inner) / n_seeds
    question = (ms_question - ms_setting_question) / per_question
    values = (question, setting, setting_question, seed, seed_question, measured_sampling)
    return {
        source: max(float(value), 0.0) if np.isfinite(value) else np.nan
        for source, value in zip(SOURCES, values, strict=True)
    }


def budget(scores: Scores) -> pd.DataFrame:
    """Return the SE that a contrast of two settings would have with twice of something, one row per option and tier.

    Columns: `tier option seeds attempts questions se_these se`, in fractions. On these questions
    SE² = 2/S · (seed + (seed × question + sampling · n/n′) / Q); for questions like these also 2/Q · cell × question.
    Without replicates the seed terms are not included. A tier without a layout has no row.
    """
    rows = []
    for tier in scores.all_and_tiers:
        layout = _layout(scores, tier)
        if layout is None:
            continue
        variances = {
            source: np.nan_to_num(value) for source, value in components(layout.rates_grq, layout.sampling_q).items()
        }
        _, n_seeds, n_questions = layout.rates_grq.shape
        for option, more in (("as it is", (1, 1, 1)), ("twice the attempts", (1, 2, 1)), ("twice the seeds", (2, 1, 1)),
                             ("twice the questions", (1, 1, 2))):  # fmt: skip
            seeds, questions = n_seeds * more[0], n_questions * more[2]
            inner = variances["seed × question"] + variances["sampling"] / more[1]
            these = 2 / seeds * (variances["seed"] + inner / questions)
            like = these + 2 / questions * variances["cell × question"]
            sizes = {"seeds": seeds, "attempts": scores.n_attempts * more[1], "questions": questions}
            rows.append({"tier": tier, "option": option, **sizes, "se_these": np.sqrt(these), "se": np.sqrt(like)})
    return pd.DataFrame(rows, columns=["tier", "option", "seeds", "attempts", "questions", "se_these", "se"])


def _layout(scores: Scores, tier: str) -> Layout | None:
    """Return the largest balanced layout of one tier, or None with fewer than two settings or two questions."""
    measured = measure(scores, tier)
    rows = comparable(scores, tier).index.to_numpy()
    runs_by_setting = {
        setting: rows[scores.setting_c[rows] == setting] for setting in np.unique(scores.setting_c[rows])
    }
    n_runs_by_seeds = Counter[int]()
    for runs in runs_by_setting.values():
        n_runs_by_seeds[len(runs)] += len(runs)
    # More runs than seeds means two settings at least: a layout of one setting has no variance between cells.
    replicated = {seeds: n_runs for seeds, n_runs in n_runs_by_seeds.items() if seeds > 1 and n_runs > seeds}
    # The number of seeds that keeps most runs; of two that keep equally many, the one with more seeds.
    n_seeds = max(replicated, key=lambda seeds: (replicated[seeds], seeds)) if replicated else 1
    chosen = [runs for runs in runs_by_setting.values() if len(runs) == n_seeds]
    if len(chosen) < 2 or measured.values_cq.shape[1] < 2:
        return None
    flat = np.concatenate(chosen)
    rates_grq = measured.values_cq[flat].reshape(len(chosen), n_seeds, -1)
    return Layout(rates_grq, measured.sampling_cq[flat].mean(axis=0))


def _bounds(layout: Layout, draws: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return (lower, upper) bounds of each source's share, from resampling questions; NaN without draws."""
    rng, n_questions = np.random.default_rng(seed), layout.rates_grq.shape[2]
    shares = []
    for _ in range(draws):
        drawn = rng.integers(n_questions, size=n_questions)
        variances = components(layout.rates_grq[..., drawn], layout.sampling_q[drawn])
        total = np.nansum(list(variances.values()))
        shares.append([value / total if total > 0 else np.nan for value in variances.values()])
    if not shares:
        absent = dict.fromkeys(SOURCES, np.nan)
        return absent, absent
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(np.array(shares), tails, axis=0)
    return dict(zip(SOURCES, low.tolist(), strict=True)), dict(zip(SOURCES, high.tolist(), strict=True))


def _ss(deviations: Floats) -> float:
    """Return the sum of squares."""
    return float(np.square(deviations).sum())


def _row(tier: str, source: str, numbers: tuple[float, ...], shape: tuple[int, ...], reason: str) -> dict[str, object]:
    value, share, low, high = numbers
    sizes = {"arms": shape[0], "seeds": shape[1]}
    return {"tier": tier, "source": source, "variance": value, "share": share, "low": low, "high": high, **sizes,
            "reason": reason}  # fmt: skip
