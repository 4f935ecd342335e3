"""Drawings the size of a word, as inline SVG: an estimate with its interval, and a loss curve."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 104, 14


def interval_glyph(estimate: float, low: float, high: float, span: float, is_clear: bool) -> Markup:
    """Return a line from `low` to `high` with a dot at `estimate`, on an axis from −`span` to +`span` with 0 in the middle.

    It is empty where there is no estimate or no axis, and the dot alone where there is no interval.
    """
    if math.isnan(estimate) or not span:
        return Markup("")

    def x(value: float) -> str:
        return f"{WIDTH / 2 + (WIDTH / 2 - 5) * max(-1.0, min(1.0, value / span)):.1f}"

    middle = HEIGHT / 2
    zero = Markup('<path class="zero" d="M{0} 0V{1}"/>').format(f"{WIDTH / 2:g}", HEIGHT)
    line = Markup("")
    if not math.isnan(low):
        line = Markup('<path class="line" d="M{} {}H{}"/>').format(x(low), f"{middle:g}", x(high))
    dot = Markup('<circle cx="{}" cy="{}" r="3.2"/>').format(x(estimate), f"{middle:g}")
    size = Markup('width="{0}" height="{1}" viewBox="0 0 {0} {1}"').format(WIDTH, HEIGHT)
    kind = Markup(" clear") if is_clear else Markup("")
    return Markup('<svg class="interval{}" {} aria-hidden="true">{}{}{}</svg>').format(kind, size, zero, line, dot)


def common_span(*values: float) -> float:
    """Return half the width of an axis that holds all of `values`: the next multiple of five points; 0.0 without values."""
    defined = [abs(value) for value in values if not math.isnan(value)]
    return max(0.05, math.ceil(max(defined) * 20 - 1e-9) / 20) if defined else 0.0


def sparkline(losses: Sequence[float], width: int = 84, height: int = 18, most: int = 42) -> Markup:
    """Return a loss curve as a line without axes, from its largest to its smallest value; of at most `most` updates.

    A curve with fewer than two finite losses is a dash.
    """
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 2:
        return Markup("–")
    chosen = np.asarray(finite)[np.unique(np.linspace(0, len(finite) - 1, min(most, len(finite))).astype(int))]
    span = float(chosen.max() - chosen.min()) or 1.0
    x = np.linspace(1, width - 1, len(chosen))
    y = 1 + (height - 2) * (chosen.max() - chosen) / span
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    size = Markup('width="{0}" height="{1}" viewBox="0 0 {0} {1}"').format(width, height)
    label = Markup('role="img" aria-label="loss from {:.2f} to {:.2f}"').format(finite[0], finite[-1])
    return Markup('<svg class="spark" {} {}><polyline points="{}"/></svg>').format(size, label, path)
