"""How long this process has imported libraries: what a fresh one pays before its first cell, and a warm one never again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Imports:
    """Seconds since they were last taken. `inside` keeps an import within another from counting twice."""

    seconds = 0.0
    inside = False


@contextmanager
def importing() -> Iterator[None]:
    """Count the seconds of what is imported within."""
    if Imports.inside:
        yield
        return
    began, Imports.inside = time.perf_counter(), True
    try:
        yield
    finally:
        Imports.inside = False
        Imports.seconds += time.perf_counter() - began


def taken_s() -> float:
    """What was counted since the last call."""
    seconds, Imports.seconds = Imports.seconds, 0.0
    return seconds
