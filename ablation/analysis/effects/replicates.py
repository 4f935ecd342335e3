"""The variance that training seeds give a cell, estimated from the settings that were run with several seeds."""

from dataclasses import dataclass

import numpy as np

from ablation.analysis.records.measures import Measurements
from ablation.analysis.records.scores import Floats, Ints, Mask, Scores


@dataclass(frozen=True)
class Component:
    """A component of variance, per unit of a cell's scale (`Replicates.scale_c`)."""

    value: float
    """The estimate, never negative."""
    variance: float
    """The variance of that estimate."""


@dataclass(frozen=True)
class Replicates:
    """The variance that seeds give to the mean of a cell over the questions."""

    scale_c: Floats
    """The square of the cell's mean slope; 0 for the base model, which has no training seed."""
    run: Component
    """`run.value · scale_c` is a cell's variance from its seed on these very questions."""
    shared: Component
    """`shared.value · scale_c` is the part of it that all questions share."""
    degrees: int
    """Degrees of freedom: Σ (S − 1) over the replicated settings. Without any, this and both components are 0."""

    @property
    def seed_sd(self) -> float:
        """The SD that seeds give to the log odds of a correct attempt; NaN without replicates."""
        return float(np.sqrt(self.run.value)) if self.degrees else float("nan")


def replicates(scores: Scores, measured: Measurements) -> Replicates:
    """Estimate the seeds' variance by moments from all replicated settings of trained cells, pooled on the log-odds scale.

    Within a setting of S runs, the variance s² of the run means estimates (seed) + (seed × question + sampling) / Q.
    s² less the sampling part is what further seeds would add on these questions (`run`). s² less the mean square of
    seed × question, over Q, is what all questions share (`shared`): the V_s − V_qs of two-way clustering (Cameron,
    Gelbach & Miller 2011, JBES 29(2), equation 2.10). Negative estimates are 0.
    """
    means_c = measured.means_c
    # A seed that moves all log odds by δ moves a cell's mean by the mean slope · δ, and its variance by the square of that.
    scale_c = np.where(scores.is_base_c, 0.0, np.nan_to_num(_row_means(measured.slope_cq)) ** 2)
    groups = _replicated(scores.setting_c, np.flatnonzero(_comparable_c(scores, means_c)))
    if not groups:
        return Replicates(scale_c, Component(0.0, 0.0), Component(0.0, 0.0), 0)
    df_g: Ints = np.array([len(runs) - 1 for runs in groups], dtype=np.int64)
    between_g = np.array([means_c[runs].var(ddof=1) for runs in groups])
    scale_g = np.array([scale_c[runs].mean() for runs in groups])
    sampling_g = np.nan_to_num(np.array([measured.sampling_c[runs].mean() for runs in groups]))
    residual_g = np.array([_residual(measured.values_cq[runs]) for runs in groups])
    return Replicates(
        scale_c,
        _component(df_g, between_g, sampling_g, scale_g),
        _component(df_g, between_g, residual_g, scale_g),
        int(df_g.sum()),
    )


def _component(df_g: Ints, between_g: Floats, noise_g: Floats, scale_g: Floats) -> Component:
    """Return Σ df (s² − noise) / Σ df · scale, with the variance that a χ² distribution of each s² gives it."""
    size = float((df_g * scale_g).sum())
    if size == 0:
        return Component(0.0, 0.0)
    # Pooled as a ratio of sums: a setting near 0 or 1, whose scale is near 0, tells little of seeds and then counts little.
    value = max(float((df_g * (between_g - noise_g)).sum()) / size, 0.0)
    return Component(value, float((2 * df_g * (noise_g + value * scale_g) ** 2).sum()) / size**2)


def _residual(values_rq: Floats) -> float:
    """Return the mean square of seed × question, over Q: a two-way analysis of variance without replication."""
    n_seeds, n_questions = values_rq.shape
    if n_questions < 2:
        return 0.0
    residual = values_rq - values_rq.mean(axis=0) - values_rq.mean(axis=1, keepdims=True) + values_rq.mean()
    return float(np.square(residual).sum() / ((n_seeds - 1) * (n_questions - 1) * n_questions))


def _comparable_c(scores: Scores, means_c: Floats) -> Mask:
    # Cells that share factors and seeds differ in something unrecorded: their spread is not one of training seeds.
    comparable: Mask = np.isfinite(means_c) & ~scores.is_base_c & ~scores.has_twin_c
    return comparable


def _replicated(setting_c: Ints, rows: Ints) -> list[Ints]:
    """Return these rows of cells by setting, for settings with two or more of them."""
    ordered = rows[np.argsort(setting_c[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(setting_c[ordered])) + 1
    return [runs for runs in np.split(ordered, starts) if len(runs) > 1]


def _row_means(values_cq: Floats) -> Floats:
    return values_cq.mean(axis=1) if values_cq.shape[1] else np.zeros(len(values_cq))
