"""Strings made fit to show: hostile characters out, numbers in.

Names, error messages and answers come from files and from models. They may hold terminal escapes, characters that
reverse the reading direction, or code points that no file can be written with.
"""

import math
import unicodedata

REPLACEMENT = "\ufffd"
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: object) -> str:
    """Return `text` on one line, with every control, format and unpaired character replaced by U+FFFD."""
    one_line = "".join(" " if char in "\n\t" else char for char in str(text))
    return "".join(REPLACEMENT if unicodedata.category(char) in _UNSAFE else char for char in one_line)


def clean_lines(text: object) -> str:
    """Return `text` with its lines and tabs, every other control, format and unpaired character replaced by U+FFFD."""
    lines = str(text)
    # Hostile marks are rare: most texts pass this one quick test.
    if lines.isascii() and lines.replace("\n", "").replace("\t", "").isprintable():
        return lines
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in _UNSAFE else REPLACEMENT for c in lines)


def short(text: object, width: int) -> str:
    """Return `clean(text)`, cut to `width` characters."""
    cleaned = clean(text)
    return cleaned if len(cleaned) <= width else cleaned[: width - 1] + "…"


def percent(fraction: float) -> str:
    """Return 0.431 as 43.1, an undefined value as a dash."""
    return "–" if math.isnan(fraction) else f"{100 * fraction:.1f}"


def quantity(value: float | None, digits: int = 0) -> str:
    """Return a measured quantity with thousands separated, a missing one as a dash."""
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def level_text(value: object) -> str:
    """Return a factor's level, cleaned, or a dash where a cell has none."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return "–" if value is None or is_nan or str(value) == "<NA>" else clean(value)
