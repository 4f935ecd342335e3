"""Being asked to stop: a flag that signals raise and that long work looks at wherever it can leave off without loss."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ablation.errors import AblationError

_log = logging.getLogger(__name__)

# USR2 is what our jobs ask Slurm to send before a preemption or the time limit; TERM follows a cancel or a shutdown.
SIGNALS = (signal.SIGUSR2, signal.SIGUSR1, signal.SIGTERM)


class Interrupted(AblationError):  # noqa: N818 nothing went wrong
    """The stage stopped because it was asked to; what it kept lets the next attempt go on from there."""


class StopRequest:
    """A request to stop, made once and never taken back. `reason` is None until there is one."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        """Ask to stop; the first reason stays. Does nothing that a signal handler may not do."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Return when nobody asked to stop. Raises Interrupted; call it only where everything worth keeping is on disk."""
        if self.reason is not None:
            raise Interrupted(f"stopped: {self.reason}; the next attempt goes on from what was kept")

    def on_signals(self) -> None:
        """From now on SIGUSR2, SIGUSR1 and SIGTERM make the request, however often they come. Main thread only."""

        def heard(number: int, frame: FrameType | None) -> None:
            del frame
            self.request(signal.Signals(number).name)

        for number in SIGNALS:
            signal.signal(number, heard)

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """`on_signals` for a while. One that came is raised again at the end, for whoever listened before."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.on_signals()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self.reason in signal.Signals.__members__:
                signal.raise_signal(signal.Signals[str(self.reason)])


class Backoff:
    """Waiting that grows slowly, says once why, and ends at a request to stop."""

    def __init__(self, halt: StopRequest, first_s: float = 0.1, slowest_s: float = 10.0) -> None:
        self.halt, self.next_s, self.slowest_s = halt, first_s, slowest_s
        self.said: str | None = None

    def after(self, reason: str) -> None:
        """Sleep for a while. Raises Interrupted."""
        if reason != self.said:
            _log.warning("%s", reason)
            self.said = reason
        ends = time.monotonic() + self.next_s
        while time.monotonic() < ends:
            self.halt.check()
            time.sleep(min(0.2, max(0.0, ends - time.monotonic())))
        self.next_s = min(self.next_s * 1.5, self.slowest_s)
