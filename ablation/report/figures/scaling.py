"""avg@n against log N: a panel for each tier, a row for each style, a colour for each length, with the fit through each line."""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ablation.analysis.curves.scaling import fitted
from ablation.analysis.effects.factor_effects import TRAINING
from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.records.load import ALL
from ablation.report.display_text import percent, short
from ablation.report.figures.small_multiples import (
    MARKERS,
    MAX_PANELS,
    FigurePanel,
    LegendEntry,
    SmallMultiples,
    scope_title,
)
from ablation.report.matplotlib_svg import MUTED, SERIES
from ablation.report.tooltips import set_tooltip


def scaling_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return points with 95 % intervals, a straight line in log N, and, from five counts on, a curve that levels off.

    None where no setting has an estimate.
    """
    curves = analysis.curves.dropna(subset="estimate") if len(analysis.curves) else analysis.curves
    if curves.empty:
        return None
    fits = fitted(curves)
    lengths, counts = list(dict.fromkeys(curves["length"])), sorted(curves["count"].unique())
    bases = {scope: _base(analysis.means, scope) for scope in analysis.scores.all_and_tiers}
    rows = []
    for style in dict.fromkeys(curves["style"]):
        panels = []
        for scope in analysis.scores.all_and_tiers[:MAX_PANELS]:
            points, lines = (_select(frame, style, scope) for frame in (curves, fits))
            draw = partial(_draw, points=points, lines=lines, lengths=lengths, counts=counts, base=bases[scope])
            panels.append(FigurePanel(scope_title(scope), draw, _in_words(analysis, points, style, scope)))
        rows.append((f"style {short(style, 40)}", tuple(panels)))
    keys = [LegendEntry(f"length {short(length, 20)}", index) for index, length in enumerate(lengths)]
    if not math.isnan(bases[ALL]):
        keys.append(LegendEntry("base model", None))
    return SmallMultiples("scaling", tuple(rows), tuple(keys))


def _draw(
    axes: Axes,
    points: pd.DataFrame,
    lines: pd.DataFrame,
    lengths: Sequence[object],
    counts: Sequence[int],
    base: float,
) -> None:
    """Draw the points of each length with their fits, and the base model as a dashed line."""
    if not math.isnan(base):
        axes.axhline(100 * base, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for index, length in enumerate(lengths):
        # Points of different lengths at one count stand beside each other.
        shift = 2 ** (0.07 * (index - (len(lengths) - 1) / 2))
        colour = SERIES[index % len(SERIES)]
        for model, fit in lines[lines["length"] == length].groupby("model", sort=False):
            # A straight line leaves the range of a share at some count.
            values = 100 * fit["estimate"].clip(0, 1)
            axes.plot(
                fit["count"] * shift, values, color=colour, linewidth=1.2, linestyle="-" if model == "log" else ":"
            )
        for row in points[points["length"] == length].to_dict("records"):
            x, y = row["count"] * shift, 100 * row["estimate"]
            axes.vlines(x, 100 * row["low"], 100 * row["high"], color=colour, linewidth=1.1, alpha=0.55)
            (mark,) = axes.plot(x, y, color=colour, marker=MARKERS[index % len(MARKERS)], markersize=4)
            set_tooltip(mark, f"N {row['count']:,}, length {length}: {_value(row)}, {row['cells']} cells")
    _count_axis(axes, counts)
    axes.set_ylim(-4, 104)


def _select(frame: pd.DataFrame, style: object, scope: str) -> pd.DataFrame:
    return frame[(frame["style"] == style) & (frame["tier"] == scope)]


def _value(row: dict[object, float]) -> str:
    """Return an average in percent with its interval, where it has one."""
    bounds = "" if math.isnan(row["low"]) else f" [{percent(row['low'])}, {percent(row['high'])}]"
    return f"{percent(row['estimate'])} %{bounds}"


def _in_words(analysis: Analysis, points: pd.DataFrame, style: object, scope: str) -> str:
    """Return the panel's points in words."""
    values = "; ".join(
        f"length {length}: "
        + ", ".join(f"{percent(row['estimate'])} at {row['count']:,}" for row in line.to_dict("records"))
        for length, line in points.groupby("length", sort=False)
    )
    return f"avg@{analysis.study.n_attempts} against the count, {scope_title(scope)}, style {style}. {values}"


def _base(means: pd.DataFrame, scope: str) -> float:
    """Return the base model's average; NaN where it has none."""
    is_base = (means["level"] == "base") & (means["factor"] == TRAINING) & (means["tier"] == scope)
    return float(means.loc[is_base, "estimate"].iloc[0])


def _count_axis(axes: Axes, counts: Sequence[int]) -> None:
    """Label exactly the counts of the design, on a scale in which doublings are equally far."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([float(count) for count in counts]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(counts, [_short_count(count) for count in counts])
    axes.set_xlim(min(counts) / 1.3, max(counts) * 1.3)


def _short_count(count: int) -> str:
    return f"{count / 1000:g}k" if count >= 1000 else str(count)
