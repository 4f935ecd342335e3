"""Tier by setting as a heat map: which rungs of the ladder open under which conditions."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ablation.analysis.findings.analyse import Analysis
from ablation.report.display_text import short
from ablation.report.figures.small_multiples import FigurePanel, SmallMultiples, scope_title
from ablation.report.setting_names import setting_name

MAX_NUMBERED = 40  # settings; with more, the numbers would not be readable


def ladder_figure(analysis: Analysis) -> SmallMultiples | None:
    """Return one row a tier and one column a setting, in percent; None where no setting has an average."""
    averages = analysis.conditions[analysis.conditions["measure"] == "avg"]
    table = averages.pivot(index="tier", columns="arm", values="estimate").reindex(
        index=list(analysis.scores.all_and_tiers)
    )
    table = table.dropna(axis="columns", how="all")
    if table.empty:
        return None
    settings = averages.drop_duplicates("arm").set_index("arm")
    labels = [setting_name(settings.loc[arm].to_dict()) for arm in table.columns]
    draw = partial(_draw, table=table, labels=labels, is_numbered=len(labels) <= MAX_NUMBERED)
    panel = FigurePanel(f"avg@{analysis.study.n_attempts}, %", draw, "avg by tier and setting")
    width = max(4.0, min(0.22 * len(labels) + 1.2, 14.0))
    return SmallMultiples("ladder", (("", (panel,)),), panel_in=(width, 0.32 * len(table) + 2.0), has_long_labels=True)


def _draw(axes: Axes, table: pd.DataFrame, labels: list[str], is_numbered: bool) -> None:
    """Draw the table as a heat map, with its numbers where there is room for them."""
    values = 100 * table.to_numpy(dtype=float)
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.grid(visible=False)
    axes.set_yticks(range(len(table)), [scope_title(str(tier)) for tier in table.index])
    axes.set_xticks(range(len(labels)), [short(label, 40) for label in labels], rotation=90, fontsize=5.5)
    for (row, column), value in np.ndenumerate(values):
        if is_numbered and np.isfinite(value):
            axes.text(
                column, row, f"{value:.0f}", ha="center", va="center", fontsize=5, color="w" if value > 60 else "k"
            )
