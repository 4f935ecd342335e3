"""How far training seeds move a cell, estimated from the settings that were run with several.

Array suffixes: c cell, q question, a arm (the runs of one setting, which differ in their seeds alone).
"""

from dataclasses import dataclass

import numpy as np

from ablation.analysis.records.measures import Measurements
from ablation.analysis.records.scores import Floats, Ints, Mask, Scores


@dataclass(frozen=True)
class Component:
    """A variance per unit of a cell's scale, and the variance of that estimate."""

    value: float
    variance: float


@dataclass(frozen=True)
class Replicates:
    """What seeds do to the mean of a cell over the questions.

    A cell's variance from its seed is `run.value · scale_c` on these very questions, and `shared.value · scale_c` of it
    is common to all questions. `scale_c` is the square of the mean slope (0 for the base model, which has no training
    seed). Both components are 0 where no setting was run twice; `degrees` (Σ S − 1 over the arms) is 0 then.
    """

    scale_c: Floats
    run: Component
    shared: Component
    degrees: int

    @property
    def seed_sd(self) -> float:
        """The SD that seeds give the log odds of a correct attempt, NaN without replicates."""
        return float(np.sqrt(self.run.value)) if self.degrees else float("nan")


def replicates(scores: Scores, measured: Measurements) -> Replicates:
    """Method of moments over all replicated arms of trained cells, seeds' effects pooled on the log-odds scale.

    Within an arm of S runs, the variance s² of the run means estimates (seed) + (seed × question + sampling) / Q. Taking
    off what sampling explains leaves what further seeds would add on these questions (`run`); taking off the mean square
    of seed × question, over Q, leaves what all questions share (`shared`): the V_s − V_qs of two-way clustering (Cameron,
    Gelbach & Miller 2011, JBES 29(2), equation 2.10). Negative estimates are 0.
    """
    means_c = measured.means_c
    scale_c = np.where(scores.is_base_c, 0.0, np.nan_to_num(_row_means(measured.slope_cq)) ** 2)
    arms = _replicated(scores.arm_c, np.flatnonzero(_comparable_c(scores, means_c)))
    if not arms:
        return Replicates(scale_c, Component(0.0, 0.0), Component(0.0, 0.0), 0)
    df_a: Ints = np.array([len(runs) - 1 for runs in arms], dtype=np.int64)
    between_a = np.array([means_c[runs].var(ddof=1) for runs in arms])
    scale_a = np.array([scale_c[runs].mean() for runs in arms])
    sampling_a = np.nan_to_num(np.array([measured.sampling_c[runs].mean() for runs in arms]))
    residual_a = np.array([_residual(measured.values_cq[runs]) for runs in arms])
    return Replicates(
        scale_c,
        _component(df_a, between_a, sampling_a, scale_a),
        _component(df_a, between_a, residual_a, scale_a),
        int(df_a.sum()),
    )


def _component(df_a: Ints, between_a: Floats, noise_a: Floats, scale_a: Floats) -> Component:
    """Σ df (s² − noise) / Σ df · scale, with the variance that χ² gives it."""
    size = float((df_a * scale_a).sum())
    if size == 0:
        return Component(0.0, 0.0)
    value = max(float((df_a * (between_a - noise_a)).sum()) / size, 0.0)
    return Component(value, float((2 * df_a * (noise_a + value * scale_a) ** 2).sum()) / size**2)


def _residual(values_sq: Floats) -> float:
    """The mean square of seed × question, over Q: two-way analysis of variance without replication."""
    n_seeds, n_questions = values_sq.shape
    if n_questions < 2:
        return 0.0
    residual = values_sq - values_sq.mean(axis=0) - values_sq.mean(axis=1, keepdims=True) + values_sq.mean()
    return float(np.square(residual).sum() / ((n_seeds - 1) * (n_questions - 1) * n_questions))


def _comparable_c(scores: Scores, means_c: Floats) -> Mask:
    comparable: Mask = np.isfinite(means_c) & ~scores.is_base_c & ~scores.has_twin_c
    return comparable


def _replicated(arm_c: Ints, lines: Ints) -> list[Ints]:
    """The given cells by arm, for arms with two or more of them."""
    ordered = lines[np.argsort(arm_c[lines], kind="stable")]
    starts = np.flatnonzero(np.diff(arm_c[ordered])) + 1
    return [runs for runs in np.split(ordered, starts) if len(runs) > 1]


def _row_means(values_cq: Floats) -> Floats:
    return values_cq.mean(axis=1) if values_cq.shape[1] else np.zeros(len(values_cq))
