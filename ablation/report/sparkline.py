"""A curve the size of a word."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup


def sparkline(losses: Sequence[float], width: int = 84, height: int = 18, most: int = 42) -> Markup:
    """A loss curve as a line without axes, from its largest to its smallest value."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 2:
        return Markup("–")
    chosen = np.asarray(finite)[np.unique(np.linspace(0, len(finite) - 1, min(most, len(finite))).astype(int))]
    span = float(chosen.max() - chosen.min()) or 1.0
    x = np.linspace(1, width - 1, len(chosen))
    y = 1 + (height - 2) * (chosen.max() - chosen) / span
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    size = Markup('width="{0}" height="{1}" viewBox="0 0 {0} {1}"').format(width, height)
    name = Markup('role="img" aria-label="loss from {:.2f} to {:.2f}"').format(finite[0], finite[-1])
    return Markup('<svg class="spark" {} {}><polyline points="{}"/></svg>').format(size, name, path)
