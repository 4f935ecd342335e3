"""The files for a paper: the figures as SVG and PDF, the tables as CSV and LaTeX."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.findings.analyse import Analysis
from ablation.analysis.findings.claims import claims_frame
from ablation.analysis.findings.estimate_text import interval
from ablation.report.display_text import clean, percent
from ablation.report.figures import SmallMultiples
from ablation.report.tables import scope_label

_NUMBERS = "%.6g"
# Tables of the analysis that go into a CSV file under their own name.
_FURTHER = (
    "growth", "equivalence", "passing", "components", "budget", "per_step", "agreement", "majority", "growing_k",
)  # fmt: skip


def write_paper(analysis: Analysis, figures: dict[str, SmallMultiples], report: Path) -> None:
    """Write `figures/` and `tables/` below `report`.

    The CSV files hold every column, as fractions. The LaTeX files hold the main columns, in points and percent, for ``booktabs``.
    """
    figure_folder, tables = report / "figures", report / "tables"
    for folder in (figure_folder, tables):
        folder.mkdir(exist_ok=True)
    for figure in figures.values():
        figure.save(figure_folder)
    for name, frame in _frames(analysis).items():
        _cleaned(frame).map(_inert).to_csv(tables / f"{name}.csv", index=False, float_format=_NUMBERS)
    scopes = analysis.scores.all_and_tiers
    latex = {
        "effects": _by_scope(analysis.effects, ["factor", "level", "reference", "pairs"], scopes, is_difference=True),
        "slopes": _by_scope(analysis.slopes, ["length", "style", "sets"], scopes, is_difference=True),
        "means": _by_scope(analysis.means, ["factor", "level", "cells"], scopes, is_difference=False),
        "claims": claims_frame(analysis.claims)[["claim", "verdict", "text"]],
    }
    for name, frame in latex.items():
        (tables / f"{name}.tex").write_text(as_latex(frame), encoding="utf-8")


def as_latex(frame: pd.DataFrame) -> str:
    """Return a ``tabular`` with the rules of booktabs, every entry escaped."""
    shape = "".join("p{0.3\\linewidth}" if _is_prose(frame[name]) else "l" for name in frame.columns)
    latex = _cleaned(frame).astype(object).fillna("--").to_latex(index=False, escape=True, column_format=shape)
    return latex.replace("−", "$-$").replace("×", "$\\times$").replace("≥", "$\\geq$").replace("±", "$\\pm$")


def _frames(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return the name of each CSV file with its table."""
    return {
        "cells": analysis.study.cells,
        "settings": analysis.conditions,
        "effects": analysis.effects,
        "slopes": analysis.slopes,
        "means": analysis.means,
        "curves": analysis.curves,
        "trajectories": analysis.trajectories.settings,
        "trajectory_effects": analysis.trajectories.effects,
        "similarity": analysis.trajectories.similarity,
        "questions": analysis.ladder.questions,
        **{name: getattr(analysis, name) for name in _FURTHER},
        "claims": claims_frame(analysis.claims),
        "coverage": analysis.coverage,
    }


def _by_scope(frame: pd.DataFrame, labels: Sequence[str], scopes: Sequence[str], is_difference: bool) -> pd.DataFrame:
    """Return one row an estimate and one column a scope: the number and its interval."""
    rows = []
    for key, group in frame.groupby(list(labels), sort=False, dropna=False):
        row = dict(zip(labels, key, strict=True))
        for record in group.to_dict("records"):
            row[scope_label(record["tier"])] = interval(record) if is_difference else _mean(record)
        rows.append(row)
    return pd.DataFrame(rows, columns=[*labels, *map(scope_label, scopes)])


def _mean(row: dict[object, float]) -> str:
    """Return a mean in percent with its interval, where it has one."""
    if pd.isna(row["low"]):
        return percent(row["estimate"])
    return f"{percent(row['estimate'])} [{percent(row['low'])}, {percent(row['high'])}]"


def _is_prose(column: "pd.Series[Any]") -> bool:
    """Return True where an entry is a sentence, which needs a column that wraps."""
    return bool(column.map(lambda value: len(str(value)) > 40).any())


def _cleaned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every text made fit to show."""
    return frame.map(lambda value: clean(value) if isinstance(value, str) else value)


def _inert(value: object) -> object:
    """Return a text that a spreadsheet would run as a formula behind an apostrophe, any other value as it is."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
