"""Text from files and models cannot command the terminal, and a reader that leaves ends a command in silence."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.terminal import printable


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]52;c;cm0gLXJm\x1b\\clipboard", "clipboard"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bcreset", "reset"),
        ("abc\x00\x08d\x7f", "abcd"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("10%\r20%\r\ndone\tok", "10%\n20%\ndone\tok"),
        ("\x1b]8;;unfinished\nnext line stays", "\nnext line stays"),
    ],
)
def test_text_cannot_command_the_terminal(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@given(st.text())
def test_nothing_but_text_is_left(text: str) -> None:
    left = printable(text)
    assert not any(ord(character) < 32 and character not in "\n\t" for character in left)
    assert not any(0x7F <= ord(character) <= 0x9F for character in left)
    assert printable(left) == left


def test_a_reader_that_leaves_ends_the_command_in_silence() -> None:
    """More than a pipe holds, so that the command writes after its reader has gone."""
    program = (
        "from ablation.cli.entry import exit_on_refusal\nfrom ablation.terminal import console\n"
        "with exit_on_refusal():\n    for _ in range(20000): console().print('x' * 60) if _ % 2 else print('y' * 60)"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout
    assert running.stderr
    os.read(running.stdout.fileno(), 10)
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait(60) == 141
    running.stderr.close()
