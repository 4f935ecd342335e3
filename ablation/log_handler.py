"""The log of a process: the lines of this package's loggers as plain text on standard output.

Modules write to ``logging.getLogger(__name__)``. Programs (a worker on a node, a local worker, a command) show the lines with
`logging_to_stdout`. Without it, as in a notebook or a test, the ordinary rules of `logging` hold: warnings reach standard error,
and ``logging.basicConfig(level=logging.INFO)`` shows every line. So a warning is what a person has to know, such as a damaged
checkpoint that was passed over, and the rest is information. Loggers of other packages are never touched.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class PlainLines(logging.Handler):
    """Print the bare message, flushed; from the level ERROR on standard error, else on standard output.

    The streams are looked up at every line, because tests and log files replace them. An error of writing is raised, as by
    `print`: a full disk must fail the cell, and a reader that went away must end the command.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        stream = sys.stderr if record.levelno >= logging.ERROR else sys.stdout
        print(self.format(record), file=stream, flush=True)


@contextmanager
def logging_to_stdout() -> Iterator[None]:
    """Show the lines of this package for a while, each exactly once, also inside another such block.

    They are not passed on to the root logger, where Hydra or a library may have put a handler of its own.
    """
    logger = logging.getLogger("ablation")
    before = list(logger.handlers), logger.level, logger.propagate
    logger.handlers[:], logger.propagate = [PlainLines()], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers[:], level, logger.propagate = before
        logger.setLevel(level)
