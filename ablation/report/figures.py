"""The figures of the report. Each returns None when there is nothing to draw."""

import math
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from ablation.analysis.analyse import Analysis
from ablation.analysis.study import ALL, FACTORS
from ablation.analysis.wording import Row, judge
from ablation.report.svg import INK, MUTED, PAPER, SERIES, drawing, grid, to_svg
from ablation.report.text import short

WIDTH_IN = 11.0
MARKERS = ("o", "s", "^", "D", "v", "P")
MAX_PANELS = 6  # side by side; further tiers are in the tables


def scaling_figure(analysis: Analysis) -> Markup | None:
    """avg@n against N: a column of panels for each tier, a row for each style, a line for each length."""
    curves = analysis.curves.dropna(subset="estimate") if len(analysis.curves) else analysis.curves
    if curves.empty:
        return None
    scopes, styles = analysis.tally.scopes[:MAX_PANELS], list(dict.fromkeys(curves["style"]))
    lengths, counts = list(dict.fromkeys(curves["length"])), sorted(curves["count"].unique())
    with drawing():
        figure, axes = grid(len(styles), len(scopes), WIDTH_IN, 0.9 + 1.9 * len(styles))
        for row, style in zip(axes, styles, strict=True):
            for axis, scope in zip(row, scopes, strict=True):
                points = curves[(curves["style"] == style) & (curves["tier"] == scope)]
                _lines(axis, points, lengths)
                _base_line(axis, analysis.means, scope)
            row[0].set_ylabel(f"style {short(style, 20)}\navg@{analysis.study.n_attempts}, %", color=INK)
        _label_scopes(axes[0], scopes)
        _count_axis(axes[-1], counts)
        axes[0][0].set_ylim(-4, 104)
        figure.legend(handles=_legend(lengths, analysis.means), loc="outside upper left", ncols=len(lengths) + 1)
        return to_svg(
            figure, f"avg@{analysis.study.n_attempts} against the count, by length and style, one panel a tier"
        )


def effects_figure(analysis: Analysis) -> Markup | None:
    """Every contrast with its interval, a column of panels for each tier."""
    rows = contrast_rows(analysis)
    if rows.empty:
        return None
    scopes, labels = analysis.tally.scopes[:MAX_PANELS], list(dict.fromkeys(rows["label"]))
    with drawing():
        figure, axes = grid(1, len(scopes), WIDTH_IN, 0.8 + 0.24 * len(labels))
        for axis, scope in zip(axes[0], scopes, strict=True):
            axis.axvline(0, color=MUTED, linewidth=0.8)
            for row in rows[rows["tier"] == scope].to_dict("records"):
                _interval(axis, labels.index(row["label"]), row)
            axis.grid(visible=False, axis="y")
            axis.xaxis.set_major_locator(MaxNLocator(4))
            axis.tick_params(length=0)
        _label_scopes(axes[0], scopes)
        axes[0][0].set_yticks(range(len(labels)), [short(label, 44) for label in labels], color=INK)
        axes[0][0].set_ylim(len(labels) - 0.4, -0.6)
        figure.supxlabel(f"points of avg@{analysis.study.n_attempts}", color=MUTED, fontsize=8)
        return to_svg(
            figure, "Effect of each factor on each tier with its interval; the numbers are in the table below"
        )


def contrast_rows(analysis: Analysis) -> pd.DataFrame:
    """The estimable contrasts between levels and the slope over N, with a `label` each."""
    effects = analysis.effects[analysis.effects["factor"] != "training"].dropna(subset="reference")
    effects = effects.assign(
        label=[f"{f}: {a} − {b}" for f, a, b in effects[["factor", "level", "reference"]].to_numpy()]
    )
    slope = analysis.slopes[analysis.slopes["length"].isna()].assign(label="count: per doubling")
    slope = slope.assign(factor="count")
    rows = pd.concat([effects, slope]).dropna(subset="estimate")
    return rows.iloc[rows["factor"].map(FACTORS.index).argsort(kind="stable")]


def _lines(axis: Axes, points: pd.DataFrame, lengths: Sequence[object]) -> None:
    for place, length in enumerate(lengths):
        line = points[points["length"] == length].sort_values("count")
        if line.empty:
            continue
        shifted = line["count"].to_numpy(dtype=float) * 2 ** (0.07 * (place - (len(lengths) - 1) / 2))
        middle, low, high = (100 * line[name].to_numpy(dtype=float) for name in ("estimate", "low", "high"))
        colour = SERIES[place % len(SERIES)]
        axis.vlines(shifted, low, high, color=colour, linewidth=1.1, alpha=0.55)
        axis.plot(shifted, middle, color=colour, linewidth=1.3, marker=MARKERS[place % len(MARKERS)], markersize=3.6)


def _base_line(axis: Axes, means: pd.DataFrame, scope: str) -> None:
    base = _base(means, scope)
    if not math.isnan(base):
        axis.axhline(100 * base, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def _base(means: pd.DataFrame, scope: str) -> float:
    return float(
        means.loc[
            (means["level"] == "base") & (means["factor"] == "training") & (means["tier"] == scope), "estimate"
        ].iloc[0]
    )


def _legend(lengths: Sequence[object], means: pd.DataFrame) -> list[Line2D]:
    drawn = [
        Line2D(
            [],
            [],
            color=SERIES[place % len(SERIES)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=4,
            label=f"length {short(length, 20)}",
        )
        for place, length in enumerate(lengths)
    ]
    base = (
        []
        if math.isnan(_base(means, ALL))
        else [Line2D([], [], color=MUTED, linestyle=(0, (4, 3)), label="base model")]
    )
    return drawn + base


def _interval(axis: Axes, height: int, row: Row) -> None:
    clear = judge(row) in ("raised", "lowered")
    colour = SERIES[0] if clear else MUTED
    axis.hlines(height, 100 * row["low"], 100 * row["high"], color=colour, linewidth=1.6)
    face = colour if clear else PAPER
    axis.plot(100 * row["estimate"], height, "o", color=colour, markerfacecolor=face, markersize=4.6)


def _label_scopes(row: Sequence[Axes], scopes: Sequence[str]) -> None:
    for axis, scope in zip(row, scopes, strict=True):
        axis.set_title("all questions" if scope == ALL else short(scope, 18), color=INK)


def _count_axis(row: Sequence[Axes], counts: Sequence[int]) -> None:
    for axis in row:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(FixedLocator([float(count) for count in counts]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.set_xlim(min(counts) / 1.3, max(counts) * 1.3)
        axis.set_xlabel("count (log scale)")
