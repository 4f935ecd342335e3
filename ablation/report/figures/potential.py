"""cov@k against avg@n: questions solved at times, and how reliably. A panel for each tier, a point for each setting."""

import math
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablation.analysis.findings.analyse import Analysis
from ablation.report.display_text import percent, short
from ablation.report.figures.small_multiples import (
    MARKERS,
    MAX_PANELS,
    FigurePanel,
    LegendEntry,
    SmallMultiples,
    scope_title,
)
from ablation.report.matplotlib_svg import MUTED, RULE, SERIES
from ablation.report.setting_names import setting_name
from ablation.report.tooltips import set_tooltip
from ablation.specs.vocabulary import FACTORS


def potential_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return the figure, or None where no setting has an estimate.

    Settings above the diagonal solve questions that they do not solve reliably. The dotted line is where they would lie if
    all questions were equally hard.
    """
    wide = _points(analysis.conditions)
    if wide.empty:
        return None
    styles = [style for style in dict.fromkeys(wide["style"]) if not pd.isna(style)]
    scopes = [scope for scope in analysis.scores.all_and_tiers[:MAX_PANELS] if (wide["tier"] == scope).any()]
    panels = []
    for scope in scopes:
        points = wide[wide["tier"] == scope]
        alt = f"cov against avg, {scope_title(scope)}: " + "; ".join(
            _in_words(row) for row in points.to_dict("records")
        )
        panels.append(FigurePanel(scope_title(scope), partial(_draw, points=points, styles=styles), alt))
    keys = tuple(LegendEntry(f"style {short(style, 20)}", index) for index, style in enumerate(styles))
    return SmallMultiples("potential", (("", tuple(panels)),), keys, (2.25, 2.1))


def _points(settings: pd.DataFrame) -> pd.DataFrame:
    """Return one row a setting and scope with an estimate: the factors, `arm tier k avg cov gap low high`.

    The bounds are those of the gap, for these questions.
    """
    estimated = settings.dropna(subset="estimate")
    by = ["arm", *FACTORS, "tier", "k"]
    parts = {name: estimated[estimated["measure"] == name] for name in ("avg", "cov", "gap")}
    wide = parts["gap"][[*by, "estimate", "low_these", "high_these"]].rename(
        columns={"estimate": "gap", "low_these": "low", "high_these": "high"}
    )
    for name in ("avg", "cov"):
        values = parts[name][["arm", "tier", "estimate"]].rename(columns={"estimate": name})
        wide = wide.merge(values, on=["arm", "tier"], validate="1:1")
    return wide


def _draw(axes: Axes, points: pd.DataFrame, styles: list[object]) -> None:
    """Draw the settings, the diagonal, and the curve of questions that are equally hard."""
    across = np.linspace(0, 1, 60)
    axes.plot([0, 100], [0, 100], color=RULE, linewidth=1)
    axes.plot(
        100 * across, 100 * (1 - (1 - across) ** int(points["k"].iloc[0])), color=MUTED, linewidth=0.9, linestyle=":"
    )
    for row in points.to_dict("records"):
        is_base = pd.isna(row["style"])
        index = 0 if is_base else styles.index(row["style"])
        colour, marker = (MUTED, "x") if is_base else (SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)])
        (mark,) = axes.plot(100 * row["avg"], 100 * row["cov"], color=colour, marker=marker, markersize=4, alpha=0.8)
        set_tooltip(mark, _in_words(row))
    axes.set_xlim(-4, 104)
    axes.set_ylim(-4, 104)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([0, 25, 50, 75, 100])


def _in_words(row: dict[object, float]) -> str:
    """Return a point's setting and its numbers in words."""
    gap = f"avg {percent(row['avg'])}, cov@{row['k']} {percent(row['cov'])}"
    bounds = (
        "" if math.isnan(row["low"]) else f", gap {percent(row['gap'])} [{percent(row['low'])}, {percent(row['high'])}]"
    )
    return f"{setting_name(row)}: {gap}{bounds}"
