"""Figures of matplotlib as SVG that belongs to the page: its colours, its typeface, the same bytes each time."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ablation.report.display_text import clean
from ablation.report.tooltips import tooltips_as_titles

# Each colour is written as the page's variable of that name, so the figures follow its light and dark themes.
INK, MUTED, RULE, PAPER = "#1c2128", "#66707c", "#dfe3e8", "#fefefe"
# Okabe and Ito: safe for colour-blind readers.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES)
}
_STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "svg.fonttype": "none",  # text stays text: searchable, small, in the page's typeface
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "sans-serif",
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Put the look of every figure in force while one is made and written."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser sets the text, so it does not matter which characters matplotlib's own font has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def to_svg(figure: Figure, alt: str) -> Markup:
    """Return the figure as an inline `<svg>` element with `alt` as its accessible name."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    # The ids of shapes are made from the salt: the same each time, and unlike those of other figures on the page.
    with mpl.rc_context({"svg.hashsalt": alt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = buffer.getvalue()
    body = drawn[drawn.index("<svg") + len("<svg") :]
    body = tooltips_as_titles(body)
    body = re.sub(r' id="[\w.]+_\d+"', "", body)  # numbered per figure, so they would repeat on the page
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    return Markup('<svg role="img" aria-label="{}"').format(clean(alt)) + Markup(body)
