"""Lines of text for a person at a terminal, or for a log."""

from rich.console import Console
from rich.text import Text


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print one line, taken literally: no markup in it, and no wrapping where a terminal or a log ends."""
    console.print(Text(text, style=style), soft_wrap=True)
