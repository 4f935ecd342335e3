"""Every contrast with its interval, a panel for each tier."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.findings.estimate_text import EstimateRow, interval, judge
from ablation.report.display_text import short
from ablation.report.figures.small_multiples import MAX_PANELS, FigurePanel, SmallMultiples, scope_title
from ablation.report.matplotlib_svg import INK, MUTED, PAPER, SERIES
from ablation.specs.vocabulary import FACTORS


def forest_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return the contrasts of `contrast_rows` as a figure for paper, or None without any.

    The page has them as a table with the same marks.
    """
    rows = contrast_rows(analysis)
    if rows.empty:
        return None
    labels = list(dict.fromkeys(rows["label"]))
    panels = []
    for index, scope in enumerate(analysis.scores.all_and_tiers[:MAX_PANELS]):
        in_scope = rows[rows["tier"] == scope]
        intervals = "; ".join(f"{row['label']}: {interval(row)}" for row in in_scope.to_dict("records"))
        draw = partial(_draw, rows=in_scope, labels=labels, is_labelled=index == 0)
        panels.append(FigurePanel(scope_title(scope), draw, f"{scope_title(scope)}: {intervals}"))
    return SmallMultiples(
        "effects", (("", tuple(panels)),), panel_in=(2.25, 0.8 + 0.24 * len(labels)), has_long_labels=True
    )


def contrast_rows(analysis: Analysis) -> pd.DataFrame:
    """Return the estimable contrasts between levels and the slope over N, with a `label` each, in the order of the factors."""
    effects = analysis.effects[analysis.effects["factor"] != "training"].dropna(subset="reference")
    effects = effects.assign(
        label=[
            f"{factor}: {level} − {reference}"
            for factor, level, reference in effects[["factor", "level", "reference"]].to_numpy()
        ]
    )
    slope = analysis.slopes[analysis.slopes["length"].isna()].assign(label="count: per doubling")
    slope = slope.assign(factor="count")
    rows = pd.concat([effects, slope]).dropna(subset="estimate")
    return rows.iloc[rows["factor"].map(FACTORS.index).argsort(kind="stable")]


def _draw(axes: Axes, rows: pd.DataFrame, labels: Sequence[str], is_labelled: bool) -> None:
    """Draw the contrasts from the top down, all against one line at zero."""
    axes.axvline(0, color=MUTED, linewidth=0.8)
    for row in rows.to_dict("records"):
        _interval(axes, labels.index(row["label"]), row)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks(range(len(labels)), [short(label, 44) for label in labels] if is_labelled else [], color=INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel("points", color=MUTED)


def _interval(axes: Axes, height: int, row: EstimateRow) -> None:
    """Draw a line with a dot: filled and coloured where the interval excludes zero."""
    is_clear = judge(row) in ("raised", "lowered")
    colour = SERIES[0] if is_clear else MUTED
    axes.hlines(height, 100 * row["low"], 100 * row["high"], color=colour, linewidth=1.6)
    face = colour if is_clear else PAPER
    axes.plot(100 * row["estimate"], height, "o", color=colour, markerfacecolor=face, markersize=4.6)
