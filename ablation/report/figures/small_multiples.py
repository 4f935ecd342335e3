"""Figures of small multiples. On the page each panel is an `<svg>` of its own, so that they flow on a phone; on paper one."""

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
    """One pair of axes: `draw` fills them, `alt` says in words what can be seen."""

    title: str
    draw: Callable[[Axes], None]
    alt: str


@dataclass(frozen=True)
class LegendEntry:
    """A line of the legend: the series by its place, or a dashed line for what all are compared with (`place` None)."""

    label: str
    place: int | None

    @property
    def sign(self) -> str:
        """The marker as a character."""
        return "╌" if self.place is None else LEGEND_SIGNS[self.place % len(LEGEND_SIGNS)]

    @property
    def colour(self) -> str:
        """The page's colour variable."""
        return "muted" if self.place is None else f"series-{self.place % len(SERIES)}"

    def handle(self) -> Line2D:
        """The same for matplotlib's legend."""
        if self.place is None:
            return Line2D([], [], color=MUTED, linestyle=(0, (4, 3)), label=self.label)
        colour, marker = SERIES[self.place % len(SERIES)], MARKERS[self.place % len(MARKERS)]
        return Line2D([], [], color=colour, marker=marker, markersize=4, label=self.label)


@dataclass(frozen=True)
class SmallMultiples:
    """Rows of panels under a heading each; all rows are as long. `name` is that of its files."""

    name: str
    rows: tuple[tuple[str, tuple[FigurePanel, ...]], ...]
    keys: tuple[LegendEntry, ...] = ()
    panel_in: tuple[float, float] = PANEL_SIZE_IN
    has_long_labels: bool = False  # how much room they need is then measured; else all panels leave the same

    @property
    def columns(self) -> int:
        """Panels side by side."""
        return max(len(panels) for _, panels in self.rows)

    def on_page(self) -> list[tuple[str, list[Markup]]]:
        """(heading, the panels as inline `<svg>` elements) for each row."""
        return [(heading, [self._panel(panel) for panel in panels]) for heading, panels in self.rows]

    def save(self, folder: Path) -> list[Path]:
        """Write the whole figure as SVG and PDF; returns the files. The same records give the same bytes."""
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
        """The whole figure on white, as height × width × 4."""
        with drawing():
            figure = self._whole()
            figure.patch.set(facecolor="white", alpha=1)
            canvas = FigureCanvasAgg(figure)
            figure.set_dpi(150)
            canvas.draw()  # type: ignore[no-untyped-call]
            return np.asarray(canvas.buffer_rgba()).copy()  # type: ignore[no-untyped-call]

    def _panel(self, panel: FigurePanel) -> Markup:
        with drawing():
            figure = Figure(figsize=self.panel_in)
            axes = self._placed(figure, 0.0, 0.0)
            _prepare(figure, axes, panel)
            return to_svg(figure, panel.alt)

    def _placed(self, figure: Figure, left_in: float, below_in: float) -> Axes:
        """Axes whose panel has its lower left corner there, with room for labels that is the same in every panel."""
        width, height = self.panel_in
        x, y = left_in + 0.27, below_in + 0.24
        across, up = figure.get_figwidth(), figure.get_figheight()
        return figure.add_axes((x / across, y / up, (width - 0.33) / across, (height - 0.44) / up))

    def _whole(self) -> Figure:
        if self.has_long_labels:
            return self._measured()
        width, height = self.panel_in
        above = 0.28 if self.keys else 0.0
        step = height + 0.22
        figure = Figure(figsize=(width * self.columns, step * len(self.rows) + above))
        figure.patch.set_alpha(0)
        top = figure.get_figheight() - above
        for line, (heading, panels) in enumerate(self.rows):
            figure.text(0.08 / figure.get_figwidth(), (top - step * line - 0.14) / figure.get_figheight(),
                        short(heading, 60), color=MUTED)  # fmt: skip
            for column, panel in enumerate(panels):
                _prepare(figure, self._placed(figure, width * column, top - step * (line + 1)), panel)
        if self.keys:
            figure.legend(handles=[key.handle() for key in self.keys], loc="upper left", ncols=len(self.keys))
        return figure

    def _measured(self) -> Figure:
        """One row of panels, laid out by what stands beside them."""
        [(_, panels)] = self.rows
        width, height = self.panel_in
        figure = Figure(figsize=(width * len(panels), height), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _prepare(figure, axes, panel)
        figure.draw_without_rendering()  # once for both files
        figure.set_layout_engine("none")
        return figure


def scope_title(scope: str) -> str:
    """What a panel of one scope is called."""
    return "all questions" if scope == ALL else short(scope, 18)


def _prepare(figure: Figure, axes: Axes, panel: FigurePanel) -> None:
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.tick_params(length=0)
    panel.draw(axes)
    if panel.title:
        axes.set_title(panel.title, color=INK)
