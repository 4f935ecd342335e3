"""cov@k against avg@n: what a setting can do at times, and how reliably. A panel for each tier, a point for each setting."""

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
from ablation.report.setting_names import setting_name, settings_wide
from ablation.report.tooltips import set_tooltip


def potential_figure(analysis: Analysis) -> SmallMultiples | None:
    """Points above the diagonal have what cannot be relied on; the dotted line is where alike questions would lie."""
    wide = settings_wide(analysis.conditions)
    if wide.empty:
        return None
    styles = [style for style in dict.fromkeys(wide["style"]) if not pd.isna(style)]
    scopes = [scope for scope in analysis.scores.all_and_tiers[:MAX_PANELS] if (wide["tier"] == scope).any()]
    panels = []
    for scope in scopes:
        points = wide[wide["tier"] == scope]
        alt = f"cov against avg, {scope_title(scope)}: " + "; ".join(_told(row) for row in points.to_dict("records"))
        panels.append(FigurePanel(scope_title(scope), partial(_draw, points=points, styles=styles), alt))
    keys = tuple(LegendEntry(f"style {short(style, 20)}", place) for place, style in enumerate(styles))
    return SmallMultiples("potential", (("", tuple(panels)),), keys, (2.25, 2.1))


def _draw(axes: Axes, points: pd.DataFrame, styles: list[object]) -> None:
    across = np.linspace(0, 1, 60)
    axes.plot([0, 100], [0, 100], color=RULE, linewidth=1)
    axes.plot(
        100 * across, 100 * (1 - (1 - across) ** int(points["k"].iloc[0])), color=MUTED, linewidth=0.9, linestyle=":"
    )
    for row in points.to_dict("records"):
        is_base = pd.isna(row["style"])
        place = 0 if is_base else styles.index(row["style"])
        colour, marker = (MUTED, "x") if is_base else (SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)])
        (mark,) = axes.plot(100 * row["avg"], 100 * row["cov"], color=colour, marker=marker, markersize=4, alpha=0.8)
        set_tooltip(mark, _told(row))
    axes.set_xlim(-4, 104)
    axes.set_ylim(-4, 104)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([0, 25, 50, 75, 100])


def _told(row: dict[object, float]) -> str:
    gap = f"avg {percent(row['avg'])}, cov@{row['k']} {percent(row['cov'])}"
    bounds = (
        "" if math.isnan(row["low"]) else f", gap {percent(row['gap'])} [{percent(row['low'])}, {percent(row['high'])}]"
    )
    return f"{setting_name(row)}: {gap}{bounds}"
