"""How the models solved it, not only whether: length, how attempts ended, self-checks, corrections, repetition, likeness.

Array suffixes: c cell, q question, a attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ablation.analysis.effects.conditions import setting_means
from ablation.analysis.effects.estimates import WeightedSum, estimate_measured
from ablation.analysis.effects.factor_effects import planned_contrasts
from ablation.analysis.effects.multiplicity import with_holm
from ablation.analysis.records.load import Study
from ablation.analysis.records.measures import Measurements
from ablation.analysis.records.scores import Floats, Ints, Mask, Scores
from ablation.analysis.texts.prose import traces
from ablation.analysis.texts.similarity import Embed, Sketches

# What is measured, and in which unit. `finish_…`: share of attempts that ended so, as the sampling engine says.
UNITS: Mapping[str, str] = {
    "tokens": "tokens",
    "self_checks": "per 1,000 tokens",
    "corrections": "per 1,000 tokens",
    "repetition": "share of runs of four words that were there before",
    "finish_stop": "share of attempts",
    "finish_length": "share of attempts",
    "finish_repetition": "share of attempts",
}
TOKENS_PER_RATE = 1_000.0  # tokens that phrases are counted by
NOT_RECORDED = "not recorded for every attempt"
_TRACES = ("words", "self_checks", "corrections", "repetition")
_RATES = ("self_checks", "corrections")


@dataclass(frozen=True)
class Trajectories:
    """What `trajectories` found.

    `attempts`: one row an attempt: `cell question tier attempt verdict tokens finish_reason words self_checks corrections
    repetition`, counts for that attempt. `settings`: one row a setting, tier and measure of `UNITS`. `effects`: one row a
    contrast (as in `factor_effects`), tier and measure. `similarity`: as `Sketches.contrasts`; `sketches.matrix(tier)` sets
    every two cells against each other.
    """

    attempts: pd.DataFrame
    settings: pd.DataFrame
    effects: pd.DataFrame
    similarity: pd.DataFrame
    sketches: Sketches


def trajectories(study: Study, scores: Scores, embed: Embed | None = None) -> Trajectories:
    """Read every text once, batch by batch, and estimate what `UNITS` names by setting and by contrast.

    Rates are taken question by question and averaged, so that long questions count no more than others. Intervals are those of
    `estimate`, in the measure's unit; seeds are taken to move every cell about equally. Without texts the measures of texts are
    NaN with a reason, as are tokens and finish reasons where the records do not tell them.
    """
    attempts = _Attempts.of(study, scores)
    sketched = attempts.read(study, Sketches(scores, embed))
    settings, effects = [], []
    for tier in scores.all_and_tiers:
        contrasts = _Contrasts(scores, tier)
        for name in UNITS:
            measured, whole_c = attempts.measure(name, tier)
            labels: dict[str, object] = {"measure": name, "unit": UNITS[name]}
            settings.append(_settings(scores, tier, measured, whole_c, labels))
            effects.append(contrasts.estimated(measured, whole_c, labels))
    changed = with_holm(pd.concat(effects, ignore_index=True), ["factor", "tier", "measure"])
    return Trajectories(
        attempts.frame(study), pd.concat(settings, ignore_index=True), changed, sketched.contrasts(), sketched
    )


class _Attempts:
    """Values of each attempt, laid out cells × questions × attempts; NaN where there is none."""

    def __init__(self, scores: Scores, results: pd.DataFrame) -> None:
        self.scores = scores
        self._cells = pd.Index(scores.cells["cell"].astype(str))
        self._questions = pd.Index(scores.questions["question"].astype(str))
        self._numbers = pd.Index(np.sort(results["attempt"].unique()))
        shape = (len(self._cells), len(self._questions), len(self._numbers))
        self.values: dict[str, Floats] = {name: np.full(shape, np.nan) for name in (*UNITS, *_TRACES)}
        self.places = self._places(results)

    @classmethod
    def of(cls, study: Study, scores: Scores) -> "_Attempts":
        """With what the results alone tell: tokens, and how each attempt ended."""
        results = study.results
        found = cls(scores, results)
        if "tokens" in results:
            found.values["tokens"][found.places] = pd.to_numeric(results["tokens"], errors="coerce").to_numpy(
                dtype=np.float64, na_value=np.nan
            )
        if "finish_reason" in results:
            told = results["finish_reason"]
            for ending in ("stop", "length", "repetition"):
                is_so = np.where(told.isna(), np.nan, (told == ending).fillna(False).astype(np.float64))
                found.values[f"finish_{ending}"][found.places] = is_so
        return found

    def read(self, study: Study, sketched: Sketches) -> Sketches:
        """Add what the texts tell. A text without a row in the results is passed over."""
        for batch in study.read_texts():
            keys = batch.select(["cell", "question", "attempt"]).to_pandas()
            cell_t, question_t, attempt_t = self._places(keys)
            told_t = (cell_t >= 0) & (question_t >= 0) & (attempt_t >= 0) & batch["text"].is_valid().to_numpy(False)
            told_t[told_t] &= self.present[cell_t[told_t], question_t[told_t], attempt_t[told_t]]
            texts = batch["text"].filter(pa.array(told_t))
            if not len(texts):
                continue
            place = (cell_t[told_t], question_t[told_t], attempt_t[told_t])
            for name, values_t in vars(traces(texts)).items():
                self.values[name][place] = values_t
            sketched.add(texts, place[0], place[1])
        return sketched

    @property
    def present(self) -> Mask:
        """Which attempts the results have."""
        present: Mask = np.zeros(self.values["tokens"].shape, dtype=bool)
        present[self.places] = True
        return present

    def measure(self, name: str, tier: str) -> tuple[Measurements, Mask]:
        """The measure at each question of the tier, and which cells have it for every planned attempt there."""
        inside_q = self.scores.in_tier_q(tier)
        values_cqa = self.values[name][:, inside_q]
        n_cq = self.scores.attempts_cq[:, inside_q].astype(np.float64)
        per_cqa = self.values["tokens"][:, inside_q] / TOKENS_PER_RATE if name in _RATES else np.ones(values_cqa.shape)
        known_cqa = np.isfinite(values_cqa) & np.isfinite(per_cqa)
        whole_c = (known_cqa.sum(axis=2) == n_cq).all(axis=1) & np.isfinite(self.scores.rates_cq(tier)).all(axis=1)
        whole_c &= bool(inside_q.any())
        measured = _ratio(np.where(known_cqa, values_cqa, 0.0), np.where(known_cqa, per_cqa, 0.0), known_cqa, n_cq)
        for array in (measured.values_cq, measured.sampling_cq, measured.slope_cq):
            array[~whole_c] = np.nan
        return measured, whole_c

    def frame(self, study: Study) -> pd.DataFrame:
        """The rows of the results with the values of each."""
        columns = study.results[["cell", "question", "tier", "attempt", "verdict"]].reset_index(drop=True)
        told = study.results.get("finish_reason", pd.Series(pd.NA, index=study.results.index, dtype="string"))
        columns = columns.assign(tokens=self.values["tokens"][self.places], finish_reason=told.to_numpy())
        return columns.assign(**{name: self.values[name][self.places] for name in _TRACES})

    def _places(self, rows: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
        cell, question, attempt = (
            index.get_indexer(pd.Index(rows[name])).astype(np.int64)
            for index, name in ((self._cells, "cell"), (self._questions, "question"), (self._numbers, "attempt"))
        )
        return cell, question, attempt


def _ratio(values_cqa: Floats, per_cqa: Floats, known_cqa: Mask, n_cq: Floats) -> Measurements:
    """Σ value / Σ per of each cell and question, with the linearised variance that drawing the attempts again would give it:
    Σ (value − ratio · per)² / (n (n − 1)) / (mean per)² (Cochran 1977, Sampling Techniques, equation 6.13); a plain mean where
    `per` is 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_cq, per_cq = values_cqa.sum(axis=2), per_cqa.sum(axis=2)
        ratio_cq = np.where(per_cq > 0, sum_cq / per_cq, np.nan)
        left_cqa = np.where(known_cqa, values_cqa - ratio_cq[..., None] * per_cqa, 0.0)
        spread_cq = np.square(left_cqa).sum(axis=2) / np.where(n_cq > 1, n_cq - 1, np.nan)
        sampling_cq = spread_cq * n_cq / np.square(per_cq)
    degrees_c = np.maximum(n_cq - 1, 1).sum(axis=1)
    return Measurements(ratio_cq, sampling_cq, np.ones_like(ratio_cq), degrees_c)


def _settings(
    scores: Scores, tier: str, measured: Measurements, whole_c: Mask, labels: dict[str, object]
) -> pd.DataFrame:
    plans = setting_means(scores, whole_c, labels, NOT_RECORDED)
    return _without_bootstrap(estimate_measured(scores, tier, plans, measured, draws=0))


class _Contrasts:
    """The contrasts of one tier among the cells that have a measure. Most measures share them: planned once."""

    def __init__(self, scores: Scores, tier: str) -> None:
        self.scores, self.tier = scores, tier
        self._planned: dict[bytes, tuple[Scores, list[WeightedSum]]] = {}

    def estimated(self, measured: Measurements, whole_c: Mask, labels: dict[str, object]) -> pd.DataFrame:
        """What each factor changed of one measure."""
        known, planned = self._among(whole_c)
        part = Measurements(*(array[whole_c] for array in vars(measured).values()))
        plans = [
            WeightedSum({**plan.labels, **labels}, plan.weights_c, plan.reason if whole_c.any() else NOT_RECORDED)
            for plan in planned
        ]
        return _without_bootstrap(estimate_measured(known, self.tier, plans, part, draws=0))

    def _among(self, whole_c: Mask) -> tuple[Scores, list[WeightedSum]]:
        key = whole_c.tobytes()
        if key not in self._planned:
            known = self.scores.only(whole_c)
            self._planned[key] = known, planned_contrasts(known, self.tier)
        return self._planned[key]


def _without_bootstrap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["low_bootstrap", "high_bootstrap"])
