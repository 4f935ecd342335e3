"""Libraries that others import wherever they are installed, kept out where nothing has a use for them."""

import sys
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
