"""The words that a mark of a figure shows when it is pointed at: the `<title>` of its SVG element, so no script is needed."""

import re

from markupsafe import escape
from matplotlib.artist import Artist

from ablation.report.display_text import clean

_PREFIX = "tip:"
_MARKED = re.compile(f'<g id="{_PREFIX}([0-9a-f]*)">')


def set_tooltip(artist: Artist, text: str) -> None:
    """Let `artist` show `text` when it is pointed at.

    Matplotlib keeps no titles, but an id for each artist: the id carries the text to `tooltips_as_titles`.
    """
    artist.set_gid(_PREFIX + clean(text).encode().hex())


def tooltips_as_titles(svg: str) -> str:
    """Return the SVG with each id of `set_tooltip` turned into a title within its element."""
    return _MARKED.sub(lambda match: f'<g class="tip"><title>{escape(bytes.fromhex(match[1]).decode())}</title>', svg)
