"""The figures, a module each: what is drawn in a panel, once for the page and once for a paper."""

from ablation.analysis.findings.analyse import Analysis
from ablation.report.figures.forest import forest_plate
from ablation.report.figures.ladder import ladder_plate
from ablation.report.figures.lengths import lengths_plate
from ablation.report.figures.plate import Key, Panel, Plate
from ablation.report.figures.potential import potential_plate
from ablation.report.figures.scaling import scaling_plate
from ablation.report.figures.scalogram import scalogram_plate

__all__ = ["Key", "Panel", "Plate", "plates"]

_MAKERS = (ladder_plate, scaling_plate, forest_plate, scalogram_plate, potential_plate, lengths_plate)


def plates(analysis: Analysis) -> dict[str, Plate]:
    """Every figure that there is something to draw for, by name."""
    drawn = (make(analysis) for make in _MAKERS)
    return {plate.name: plate for plate in drawn if plate}
