"""What a mark of a figure says when it is pointed at: kept in the SVG as its `<title>`, so that it needs no script."""

import re

from markupsafe import escape
from matplotlib.artist import Artist

from ablation.report.display_text import clean

_PREFIX = "tip:"
_MARKED = re.compile(f'<g id="{_PREFIX}([0-9a-f]*)">')


def set_tooltip(artist: Artist, text: str) -> None:
    """Let `artist` say `text`. An SVG's ids carry it from here to `tooltips_as_titles`."""
    artist.set_gid(_PREFIX + clean(text).encode().hex())


def tooltips_as_titles(svg: str) -> str:
    """The SVG with each of these ids as a title within its element."""
    return _MARKED.sub(lambda found: f'<g class="tip"><title>{escape(bytes.fromhex(found[1]).decode())}</title>', svg)
