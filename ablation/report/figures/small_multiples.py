"""Figures of small multiples: on the page an `<svg>` a panel, so that they flow on a phone; on paper one drawing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ablation.analysis.records.load import ALL
from ablation.report.display_text import short
from ablation.report.matplotlib_svg import INK, MUTED, SERIES, drawing, to_svg

MARKERS = ("o", "s", "^", "D", "v", "P")
LEGEND_SIGNS = ("●", "■", "▲", "◆", "▼", "✚")
MAX_PANELS = 6  # side by side; further tiers are in the tables
PANEL_SIZE_IN = (2.25, 1.8)


@dataclass(frozen=True)
class FigurePanel:
    """One pair of axes."""

    title: str
    draw: Callable[[Axes], None]
    """Fills the axes."""
    alt: str
    """The panel's content in words, for readers who cannot see it."""


@dataclass(frozen=True)
class LegendEntry:
    """A line of the legend."""

    label: str
    series: int | None
    """The index of the series, which gives it colour and marker; None for the dashed line that all are compared with."""

    @property
    def sign(self) -> str:
        """The marker as a character."""
        return "╌" if self.series is None else LEGEND_SIGNS[self.series % len(LEGEND_SIGNS)]

    @property
    def colour(self) -> str:
        """The name of the page's colour variable."""
        return "muted" if self.series is None else f"series-{self.series % len(SERIES)}"

    def handle(self) -> Line2D:
        """Return the entry for matplotlib's legend."""
        if self.series is None:
            return Line2D([], [], color=MUTED, linestyle=(0, (4, 3)), label=self.label)
        colour, marker = SERIES[self.series % len(SERIES)], MARKERS[self.series % len(MARKERS)]
        return Line2D([], [], color=colour, marker=marker, markersize=4, label=self.label)


@dataclass(frozen=True)
class SmallMultiples:
    """Rows of panels under a heading each; all rows are as long."""

    name: str
    """The name of its files."""
    rows: tuple[tuple[str, tuple[FigurePanel, ...]], ...]
    """(heading, its panels)."""
    keys: tuple[LegendEntry, ...] = ()
    panel_in: tuple[float, float] = PANEL_SIZE_IN
    """Width and height of a panel in inches."""
    has_long_labels: bool = False
    """True measures the room that labels need; otherwise all panels leave the same. Only figures of one row may need it."""

    @property
    def columns(self) -> int:
        """The number of panels side by side."""
        return max(len(panels) for _, panels in self.rows)

    def on_page(self) -> list[tuple[str, list[Markup]]]:
        """Return (heading, the panels as inline `<svg>` elements) for each row."""
        return [(heading, [self._panel(panel) for panel in panels]) for heading, panels in self.rows]

    def save(self, folder: Path) -> list[Path]:
        """Write the whole figure as SVG and PDF and return the files. The same records give the same bytes."""
        with drawing():
            figure = self._whole()
            paths = [folder / f"{self.name}.svg", folder / f"{self.name}.pdf"]
            with mpl.rc_context({"svg.hashsalt": self.name, "svg.fonttype": "path", "pdf.fonttype": 42}):
                FigureCanvasSVG(figure)
                figure.savefig(paths[0], metadata={"Date": None, "Creator": None})
                FigureCanvasPdf(figure)
                figure.savefig(paths[1], metadata={"CreationDate": None, "Creator": None, "Producer": None})
        return paths

    def pixels(self) -> NDArray[np.uint8]:
        """Return the whole figure on white, as height × width × 4."""
        with drawing():
            figure = self._whole()
            figure.patch.set(facecolor="white", alpha=1)
            canvas = FigureCanvasAgg(figure)
            figure.set_dpi(150)
            canvas.draw()  # type: ignore[no-untyped-call]
            return np.asarray(canvas.buffer_rgba()).copy()  # type: ignore[no-untyped-call]

    def _panel(self, panel: FigurePanel) -> Markup:
        """Return one panel as an inline `<svg>` element."""
        with drawing():
            figure = Figure(figsize=self.panel_in)
            axes = self._placed(figure, 0.0, 0.0)
            _prepare(figure, axes, panel)
            return to_svg(figure, panel.alt)

    def _placed(self, figure: Figure, left_in: float, below_in: float) -> Axes:
        """Add axes to the figure for a panel whose lower left corner is at (`left_in`, `below_in`), in inches.

        The room for labels is the same in every panel.
        """
        width, height = self.panel_in
        x, y = left_in + 0.27, below_in + 0.24
        figure_width, figure_height = figure.get_figwidth(), figure.get_figheight()
        return figure.add_axes(
            (x / figure_width, y / figure_height, (width - 0.33) / figure_width, (height - 0.44) / figure_height)
        )

    def _whole(self) -> Figure:
        """Return all panels in one figure, the headings above their rows and the legend above all."""
        if self.has_long_labels:
            return self._measured()
        width, height = self.panel_in
        above = 0.28 if self.keys else 0.0
        step = height + 0.22
        figure = Figure(figsize=(width * self.columns, step * len(self.rows) + above))
        figure.patch.set_alpha(0)
        top = figure.get_figheight() - above
        for row, (heading, panels) in enumerate(self.rows):
            figure.text(0.08 / figure.get_figwidth(), (top - step * row - 0.14) / figure.get_figheight(),
                        short(heading, 60), color=MUTED)  # fmt: skip
            for column, panel in enumerate(panels):
                _prepare(figure, self._placed(figure, width * column, top - step * (row + 1)), panel)
        if self.keys:
            figure.legend(handles=[key.handle() for key in self.keys], loc="upper left", ncols=len(self.keys))
        return figure

    def _measured(self) -> Figure:
        """Return one row of panels, laid out by the labels beside them."""
        [(_, panels)] = self.rows
        width, height = self.panel_in
        figure = Figure(figsize=(width * len(panels), height), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _prepare(figure, axes, panel)
        figure.draw_without_rendering()  # lays it out once for both files
        figure.set_layout_engine("none")
        return figure


def scope_title(scope: str) -> str:
    """Return the title of a scope's panel."""
    return "all questions" if scope == ALL else short(scope, 18)


def _prepare(figure: Figure, axes: Axes, panel: FigurePanel) -> None:
    """Draw the panel on a transparent ground, which shows the page's colour."""
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.tick_params(length=0)
    panel.draw(axes)
    if panel.title:
        axes.set_title(panel.title, color=INK)
