"""What a person sees while cells run: one live table on a terminal, one line per change elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablation.jobs.run.job import JobResult


class LiveTable:
    """Counts of done, running, failed and waiting cells, the time left, and the failures as they come.

    `live` False writes lines on a terminal too: where a debugger wants it to itself. `heard` is told of each cell that ends.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        workers: int,
        live: bool = True,
        heard: Callable[[JobResult], object] = lambda outcome: outcome,
    ) -> None:
        self.console, self.total, self.workers, self.heard = console, total, workers, heard
        self.running: dict[str, float] = {}
        self.stages: dict[str, str] = {}
        self.outcomes: list[JobResult] = []
        self.began = time.monotonic()
        drawn = live and console.is_terminal and total > 0
        self._live = Live(self, console=console, refresh_per_second=4, transient=True) if drawn else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def started(self, name: str) -> None:
        """A cell began; telling it again changes nothing."""
        self.running.setdefault(name, time.monotonic())

    def stage(self, name: str, stage: str, aloud: bool = True) -> None:
        """A running cell reached a stage; `aloud` tells it in a line of its own where there is no live table."""
        self.stages[name] = stage
        if aloud:
            self._line(f"{name}: {stage}")

    def ended(self, outcome: JobResult) -> None:
        """A cell is complete or has failed."""
        self.heard(outcome)
        self.running.pop(outcome.name, None)
        self.outcomes.append(outcome)
        word = "failed" if outcome.error else "done"
        self._line(f"[{len(self.outcomes)}/{self.total}] {word} {outcome.name} ({outcome.seconds:.1f} s){self._left()}")
        if outcome.error:
            self.console.print(Text(f"  {outcome.name}: {outcome.error.splitlines()[0]}", style="red"), soft_wrap=True)

    def seconds_left(self) -> float | None:
        """From the pace of what has ended; None before anything has."""
        ended = len(self.outcomes)
        return (self.total - ended) * (time.monotonic() - self.began) / ended if ended else None

    def _left(self) -> str:
        left = self.seconds_left()
        return f", about {_clock(left)} left" if left else ""

    def _line(self, text: str) -> None:
        if self._live is None:
            self.console.print(Text(text), soft_wrap=True)

    def __rich__(self) -> Group:
        failed = sum(outcome.error is not None for outcome in self.outcomes)
        ended = len(self.outcomes)
        counts = Table.grid(padding=(0, 2))
        waiting = self.total - ended - len(self.running)
        counts.add_row(
            Text(f"{ended - failed} done", style="green"), Text(f"{len(self.running)} running", style="cyan"),
            Text(f"{failed} failed", style="red" if failed else "dim"), Text(f"{waiting} to go", style="dim"),
            ProgressBar(total=self.total, completed=ended, width=24),
            Text(f"{_clock(time.monotonic() - self.began)}{self._left()}"),
        )  # fmt: skip
        now = time.monotonic()
        rows = [
            Text(f"  ▶ {name}  {self.stages.get(name, '')} {now - since:.0f} s", style="cyan")
            for name, since in self.running.items()
        ]
        return Group(counts, *rows)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
