"""Settings and questions as a staircase: the share of correct attempts, both ordered by how much is solved."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.records.scores import Floats
from ablation.report.display_text import short
from ablation.report.figures.small_multiples import FigurePanel, SmallMultiples


def scalogram_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return the share of correct attempts, cells (most solved first) × questions (most solved first in each tier).

    None where nothing was attempted.
    """
    scores = analysis.scores
    present_c = (scores.attempts_cq.sum(axis=1) > 0) & ~scores.is_apart_c
    if not present_c.any():
        return None
    share_cq = np.where(scores.attempts_cq > 0, scores.correct_cq / np.maximum(scores.attempts_cq, 1), np.nan)[
        present_c
    ]
    tier_q = scores.questions["tier"].map(scores.tiers.index).to_numpy()
    filled_cq = np.nan_to_num(share_cq)
    order_q = np.lexsort((-filled_cq.mean(axis=0), tier_q))
    order_c = np.argsort(-filled_cq.mean(axis=1), kind="stable")
    steps = np.flatnonzero(np.diff(tier_q[order_q])) + 0.5
    names = [short(name, 24) for name in scores.questions["question"].iloc[order_q]]
    draw = partial(_draw, share=share_cq[np.ix_(order_c, order_q)], steps=steps.tolist(), names=names)
    panel = FigurePanel("", draw, "share of correct attempts, cells by questions")
    size = (max(3.5, min(0.16 * len(names) + 0.8, 12.0)), max(2.0, min(0.05 * len(share_cq) + 1.4, 8.0)))
    return SmallMultiples("scalogram", (("", (panel,)),), panel_in=size, has_long_labels=True)


def _draw(axes: Axes, share: Floats, steps: list[float], names: list[str]) -> None:
    """Draw the shares as a heat map, with a white line between two tiers."""
    axes.imshow(np.ma.masked_invalid(share), cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.grid(visible=False)
    for step in steps:
        axes.axvline(step, color="w", linewidth=2)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=5)
    axes.set_yticks([])
    axes.set_ylabel("cells, most solved first")
