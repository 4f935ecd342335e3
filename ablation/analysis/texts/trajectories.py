"""The course of the attempts beside their verdicts: length, ending, self-checks, corrections, repetition, likeness."""

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

# Measure → unit. `finish_…` is the share of attempts with this finish reason of the sampling engine.
UNITS: Mapping[str, str] = {
    "tokens": "tokens",
    "self_checks": "per 1,000 tokens",
    "corrections": "per 1,000 tokens",
    "repetition": "share of runs of four words that were there before",
    "finish_stop": "share of attempts",
    "finish_length": "share of attempts",
    "finish_repetition": "share of attempts",
}
TOKENS_PER_RATE = 1_000.0  # phrases are counted per so many tokens
NOT_RECORDED = "not recorded for every attempt"
_TRACES = ("words", "self_checks", "corrections", "repetition")
_RATES = ("self_checks", "corrections")


@dataclass(frozen=True)
class Trajectories:
    """The result of `trajectories`."""

    attempts: pd.DataFrame
    """One row per attempt: `cell question tier attempt verdict tokens finish_reason words self_checks corrections repetition`.

    Numbers are counts of that attempt, except `repetition`, a share.
    """
    settings: pd.DataFrame
    """One row per setting, tier and measure of `UNITS`, with its estimate."""
    effects: pd.DataFrame
    """One row per contrast (as in `factor_effects`), tier and measure, with its estimate."""
    similarity: pd.DataFrame
    """The table of `Sketches.contrasts`."""
    sketches: Sketches
    """The sums behind it; `sketches.matrix(tier)` compares every two cells."""


def trajectories(study: Study, scores: Scores, embed: Embed | None = None) -> Trajectories:
    """Read every text once, batch by batch, and estimate the measures of `UNITS` by setting and by contrast.

    Rates are taken question by question and averaged, so that long questions count no more than others. Intervals are those
    of `estimate`, in the measure's unit; seeds are taken to move every cell about equally. Without texts the measures of
    texts are NaN with a reason, as are tokens and finish reasons where the records lack them. `embed` replaces the sketches
    behind the likeness.
    """
    attempts = _Attempts.of(study, scores)
    sketched = attempts.read(study, Sketches(scores, embed))
    settings, effects = [], []
    for tier in scores.all_and_tiers:
        contrasts = _Contrasts(scores, tier)
        for name in UNITS:
            measured, complete_c = attempts.measure(name, tier)
            labels: dict[str, object] = {"measure": name, "unit": UNITS[name]}
            settings.append(_settings(scores, tier, measured, complete_c, labels))
            effects.append(contrasts.estimated(measured, complete_c, labels))
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
        self.positions = self._positions(results)

    @classmethod
    def of(cls, study: Study, scores: Scores) -> "_Attempts":
        """Lay out tokens and finish reasons, which stand in the results."""
        results = study.results
        attempts = cls(scores, results)
        if "tokens" in results:
            attempts.values["tokens"][attempts.positions] = pd.to_numeric(results["tokens"], errors="coerce").to_numpy(
                dtype=np.float64, na_value=np.nan
            )
        if "finish_reason" in results:
            reasons = results["finish_reason"]
            for ending in ("stop", "length", "repetition"):
                share = np.where(reasons.isna(), np.nan, (reasons == ending).fillna(False).astype(np.float64))
                attempts.values[f"finish_{ending}"][attempts.positions] = share
        return attempts

    def read(self, study: Study, sketched: Sketches) -> Sketches:
        """Add the measures of the texts, and the texts to `sketched`. A text without a row in the results is left out."""
        for batch in study.read_texts():
            keys = batch.select(["cell", "question", "attempt"]).to_pandas()
            cell_t, question_t, attempt_t = self._positions(keys)
            # A key that the results do not know has the position −1; three known parts need not be a row together.
            kept_t = (cell_t >= 0) & (question_t >= 0) & (attempt_t >= 0) & batch["text"].is_valid().to_numpy(False)
            kept_t[kept_t] &= self.present[cell_t[kept_t], question_t[kept_t], attempt_t[kept_t]]
            texts = batch["text"].filter(pa.array(kept_t))
            if not len(texts):
                continue
            positions = (cell_t[kept_t], question_t[kept_t], attempt_t[kept_t])
            for name, values_t in vars(traces(texts)).items():
                self.values[name][positions] = values_t
            sketched.add(texts, positions[0], positions[1])
        return sketched

    @property
    def present(self) -> Mask:
        """True for attempts that the results have: cells × questions × attempts."""
        present: Mask = np.zeros(self.values["tokens"].shape, dtype=bool)
        present[self.positions] = True
        return present

    def measure(self, name: str, tier: str) -> tuple[Measurements, Mask]:
        """Return the measure at each question of the tier, and a mask of the cells that have it for all attempts there."""
        inside_q = self.scores.in_tier_q(tier)
        values_cqa = self.values[name][:, inside_q]
        n_cq = self.scores.attempts_cq[:, inside_q].astype(np.float64)
        per_cqa = self.values["tokens"][:, inside_q] / TOKENS_PER_RATE if name in _RATES else np.ones(values_cqa.shape)
        has_value_cqa = np.isfinite(values_cqa) & np.isfinite(per_cqa)
        # A cell counts only with a value for every attempt: those without one (a lost text) need not be like the others.
        complete_c = (has_value_cqa.sum(axis=2) == n_cq).all(axis=1)
        complete_c &= np.isfinite(self.scores.rates_cq(tier)).all(axis=1) & bool(inside_q.any())
        values_cqa, per_cqa = (np.where(has_value_cqa, array, 0.0) for array in (values_cqa, per_cqa))
        measured = _ratio(values_cqa, per_cqa, has_value_cqa, n_cq)
        for array in (measured.values_cq, measured.sampling_cq, measured.slope_cq):
            array[~complete_c] = np.nan
        return measured, complete_c

    def frame(self, study: Study) -> pd.DataFrame:
        """Return the rows of the results with the values of each."""
        columns = study.results[["cell", "question", "tier", "attempt", "verdict"]].reset_index(drop=True)
        reasons = study.results.get("finish_reason", pd.Series(pd.NA, index=study.results.index, dtype="string"))
        columns = columns.assign(tokens=self.values["tokens"][self.positions], finish_reason=reasons.to_numpy())
        return columns.assign(**{name: self.values[name][self.positions] for name in _TRACES})

    def _positions(self, rows: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
        cell, question, attempt = (
            index.get_indexer(pd.Index(rows[name])).astype(np.int64)
            for index, name in ((self._cells, "cell"), (self._questions, "question"), (self._numbers, "attempt"))
        )
        return cell, question, attempt


def _ratio(values_cqa: Floats, per_cqa: Floats, has_value_cqa: Mask, n_cq: Floats) -> Measurements:
    """Return Σ value / Σ per of each cell and question: a plain mean where `per` is 1.

    The variance if the attempts were drawn again is the linearised one: Σ (value − ratio · per)² / (n (n − 1)) /
    (mean per)² (Cochran 1977, Sampling Techniques, equation 6.13).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_cq, per_cq = values_cqa.sum(axis=2), per_cqa.sum(axis=2)
        ratio_cq = np.where(per_cq > 0, sum_cq / per_cq, np.nan)
        residual_cqa = np.where(has_value_cqa, values_cqa - ratio_cq[..., None] * per_cqa, 0.0)
        spread_cq = np.square(residual_cqa).sum(axis=2) / np.where(n_cq > 1, n_cq - 1, np.nan)
        sampling_cq = spread_cq * n_cq / np.square(per_cq)
    # The slope is 1: seeds are taken to move every cell about equally, in the measure's own unit.
    degrees_c = np.maximum(n_cq - 1, 1).sum(axis=1)
    return Measurements(ratio_cq, sampling_cq, np.ones_like(ratio_cq), degrees_c)


def _settings(
    scores: Scores, tier: str, measured: Measurements, complete_c: Mask, labels: dict[str, object]
) -> pd.DataFrame:
    means = setting_means(scores, complete_c, labels, NOT_RECORDED)
    return _without_bootstrap(estimate_measured(scores, tier, means, measured, draws=0))


class _Contrasts:
    """The contrasts of one tier among the cells that have a measure. Most measures share them, so they are planned once."""

    def __init__(self, scores: Scores, tier: str) -> None:
        self.scores, self.tier = scores, tier
        self._planned: dict[bytes, tuple[Scores, list[WeightedSum]]] = {}

    def estimated(self, measured: Measurements, complete_c: Mask, labels: dict[str, object]) -> pd.DataFrame:
        """Estimate the effect of each factor on one measure."""
        complete, planned = self._among(complete_c)
        part = Measurements(*(array[complete_c] for array in vars(measured).values()))
        contrasts = [
            WeightedSum(
                {**contrast.labels, **labels}, contrast.weights_c, contrast.reason if complete_c.any() else NOT_RECORDED
            )
            for contrast in planned
        ]
        return _without_bootstrap(estimate_measured(complete, self.tier, contrasts, part, draws=0))

    def _among(self, complete_c: Mask) -> tuple[Scores, list[WeightedSum]]:
        """Return the scores of these cells alone, and their contrasts."""
        key = complete_c.tobytes()
        if key not in self._planned:
            complete = self.scores.only(complete_c)
            self._planned[key] = complete, planned_contrasts(complete, self.tier)
        return self._planned[key]


def _without_bootstrap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["low_bootstrap", "high_bootstrap"])
