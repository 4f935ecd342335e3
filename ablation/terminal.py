"""Text for a terminal, without commands in it: logs and errors can hold any text that a model wrote."""

import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Sequences that move the cursor, set titles, write the clipboard; then lone control and bidirectional characters.
_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text without escape sequences and control characters. A lone carriage return ends a line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _SEQUENCES.sub("", lines))


def console() -> "Console":
    """Return the terminal, or a plain stream of lines where there is none. It raises BrokenPipeError when its reader has gone."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            """Let the edge to the shell decide, as it does for `print`."""
            raise BrokenPipeError

    return _Console(highlight=False, markup=False, emoji=False)


def ask_yes_or_no(question: str) -> bool:
    """Ask a person at the terminal. Return True for yes; an empty answer, or the end of the input, means no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def repair_streams() -> None:
    """Make standard output and error fit for any text.

    A closed stream loses its text in silence. A character that a terminal lacks is shown as a question mark.
    """
    nowhere = Path(os.devnull)
    sys.stdout, sys.stderr = (stream or nowhere.open("w") for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
