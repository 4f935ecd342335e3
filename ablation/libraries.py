"""Libraries that others import wherever they are installed, kept out where nothing has a use for them."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(name: str) -> Iterator[None]:
    """A module that is not imported yet cannot be meanwhile: it looks as if it were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system's reference has it
    try:
        yield
    finally:
        del sys.modules[name]


def transformers_without_sklearn() -> None:
    """scikit-learn takes as long to import as torch; transformers has one use for it, a kind of decoding that no engine asks for.

    Whether it is installed transformers finds out once, and remembers.
    """
    with absent("sklearn"):
        from transformers.utils.import_utils import is_sklearn_available

        is_sklearn_available()


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
