"""The figures, a module each; every one is drawn once for the page and once for a paper."""

from ablation.analysis.findings.analyse import Analysis
from ablation.report.figures.forest import forest_figure
from ablation.report.figures.ladder import ladder_figure
from ablation.report.figures.lengths import lengths_figure
from ablation.report.figures.potential import potential_figure
from ablation.report.figures.scaling import scaling_figure
from ablation.report.figures.scalogram import scalogram_figure
from ablation.report.figures.small_multiples import FigurePanel, LegendEntry, SmallMultiples

__all__ = ["FigurePanel", "LegendEntry", "SmallMultiples", "plates"]

_MAKERS = (ladder_figure, scaling_figure, forest_figure, scalogram_figure, potential_figure, lengths_figure)


def all_figures(analysis: Analysis) -> dict[str, SmallMultiples]:
    """Return name → figure, of every figure that the study has values for."""
    figures = (make(analysis) for make in _MAKERS)
    return {figure.name: figure for figure in figures if figure}
