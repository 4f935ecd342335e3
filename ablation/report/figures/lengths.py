"""How long the attempts are, by how they were judged: one panel a tier."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.records.load import ALL, VERDICTS
from ablation.report.figures.small_multiples import MAX_PANELS, FigurePanel, LegendEntry, SmallMultiples, scope_title
from ablation.report.matplotlib_svg import SERIES
from ablation.report.tooltips import set_tooltip

BINS = 18
_ORDER = tuple(VERDICTS)


def lengths_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return stacked shares of the attempts over bins of equal ratio, or None where tokens were not recorded."""
    attempts = analysis.trajectories.attempts.dropna(subset="tokens")
    attempts = attempts[(attempts["tokens"] > 0) & ~attempts["cell"].isin(analysis.scores.apart)]
    if attempts.empty:
        return None
    low, high = float(attempts["tokens"].min()), float(attempts["tokens"].max())
    edges = np.geomspace(low, max(high, low * 1.01) * 1.001, BINS + 1)
    verdicts = [verdict for verdict in _ORDER if (attempts["verdict"] == verdict).any()]
    panels = []
    for scope in analysis.scores.all_and_tiers[:MAX_PANELS]:
        in_scope = attempts if scope == ALL else attempts[attempts["tier"] == scope]
        draw = partial(_draw, attempts=in_scope, edges=edges.tolist(), verdicts=verdicts)
        medians = in_scope.groupby("verdict")["tokens"].median()
        median_text = ", ".join(f"{name} median {value:,.0f}" for name, value in medians.items())
        panels.append(
            FigurePanel(scope_title(scope), draw, f"tokens of the attempts, {scope_title(scope)}: {median_text}")
        )
    keys = tuple(LegendEntry(verdict.replace("_", " "), _ORDER.index(verdict)) for verdict in verdicts)
    return SmallMultiples("lengths", (("", tuple(panels)),), keys)


def _draw(axes: Axes, attempts: pd.DataFrame, edges: Sequence[float], verdicts: Sequence[str]) -> None:
    """Draw the shares of the verdicts in each bin of tokens on top of each other."""
    floor = np.zeros(len(edges) - 1)
    total = max(len(attempts), 1)
    for verdict in verdicts:
        tokens = attempts.loc[attempts["verdict"] == verdict, "tokens"]
        share = 100 * np.histogram(tokens, bins=edges)[0] / total
        colour = SERIES[_ORDER.index(verdict)]
        bars = axes.bar(edges[:-1], share, np.diff(edges), floor, align="edge", color=colour, linewidth=0)
        for bar, value, start, end in zip(bars, share, edges, edges[1:], strict=False):
            if value:
                set_tooltip(
                    bar,
                    f"{verdict.replace('_', ' ')}, {start:,.0f} to {end:,.0f} tokens: {value:.1f} % of the attempts",
                )
        floor += share
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}" if value < 1000 else f"{value / 1000:.2g}k")
    axes.grid(visible=False, axis="x")
