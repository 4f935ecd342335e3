"""Kill work for real: a child process that shares what the test has imported, so that a death costs no start-up.

Walks through no room: it kills the work that a test gives it.
"""

import os
import signal
import time
import warnings
from collections.abc import Callable


def killed(work: Callable[[], object], when: Callable[[], bool], within_s: float = 120.0) -> bool:
    """Run `work` in a child and end it with SIGKILL as soon as `when` is true; False when it was through before."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # forking beside threads: the child has the one that it needs
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    deadline = time.monotonic() + within_s
    while not when() and time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True
