"""Requests to stop. A signal sets a flag, and long work looks at it wherever it can stop without loss."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ablation.errors import AblationError

# USR2 is what our jobs ask Slurm to send before a preemption or the time limit; TERM follows a cancel or a shutdown.
SIGNALS = (signal.SIGUSR2, signal.SIGUSR1, signal.SIGTERM)
_log = logging.getLogger(__name__)


class Interrupted(AblationError):  # noqa: N818 nothing went wrong
    """The stage stopped because it was asked to. The next run of the stage goes on from what it kept."""


class StopRequest:
    """A request to stop, made once and never taken back."""

    def __init__(self) -> None:
        self.reason: str | None = None
        """None until somebody asks to stop."""

    def request(self, reason: str) -> None:
        """Ask to stop. The first reason stays. A signal handler may call this."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise Interrupted when somebody asked to stop. Call it only where everything worth keeping is on disk."""
        if self.reason is not None:
            raise Interrupted(f"stopped: {self.reason}; the next attempt goes on from what was kept")

    def listen_to_signals(self) -> None:
        """Let SIGUSR2, SIGUSR1 and SIGTERM make the request from now on, however often they come. Main thread only."""

        def on_signal(number: int, _frame: FrameType | None) -> None:
            self.request(signal.Signals(number).name)

        for number in SIGNALS:
            signal.signal(number, on_signal)

    @contextmanager
    def listening_to_signals(self) -> Iterator[None]:
        """Listen to signals for a while. At the end a signal that came is raised again, for the handler from before."""
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen_to_signals()
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if self.reason in signal.Signals.__members__:
                signal.raise_signal(signal.Signals[str(self.reason)])


class Backoff:
    """Waits that grow slowly, from `first_s` to `slowest_s` seconds, and end at a request to stop."""

    def __init__(self, halt: StopRequest, first_s: float = 0.1, slowest_s: float = 10.0) -> None:
        self.halt, self.next_s, self.slowest_s = halt, first_s, slowest_s
        self.logged_reason: str | None = None

    def wait(self, reason: str) -> None:
        """Sleep for a while. The reason is logged when it is another one than before. Raises Interrupted."""
        if reason != self.logged_reason:
            _log.warning("%s", reason)
            self.logged_reason = reason
        ends = time.monotonic() + self.next_s
        # Short naps: a request to stop must not wait for the end of a long sleep.
        while time.monotonic() < ends:
            self.halt.check()
            time.sleep(min(0.2, max(0.0, ends - time.monotonic())))
        self.next_s = min(self.next_s * 1.5, self.slowest_s)
