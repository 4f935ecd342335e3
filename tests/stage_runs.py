"""Runs of one stage as the store makes them, and a request to stop at a moment that a test chooses.

Walks through store.
"""

from pathlib import Path

from ablation.store.interrupt import StopRequest
from ablation.store.stage_run import StageRun


class StopAt(StopRequest):
    """Is asked to stop at the n-th look at it, and says so from then on; never with None."""

    def __init__(self, look: int | None) -> None:
        self.looks_left = look
        super().__init__()

    @property
    def reason(self) -> str | None:
        """What `StopRequest` keeps as a plain value."""
        if self.looks_left is None:
            return None
        self.looks_left -= 1
        return "asked by the test" if self.looks_left <= 0 else None

    @reason.setter
    def reason(self, value: str | None) -> None:
        self.looks_left = 0 if value else self.looks_left


class StageRuns:
    """Runs below one folder, each finding what the earlier ones kept."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.begun: list[StageRun] = []

    @property
    def last(self) -> StageRun:
        """The newest one."""
        return self.begun[-1]

    def begin(self, halt: StopRequest | None = None) -> StageRun:
        """Make folders for one more run."""
        folder = self.place / f"attempt-{len(self.begun):06d}"
        earlier = tuple(run.kept for run in reversed(self.begun))
        self.begun.append(StageRun(folder / "out", folder / "kept", earlier, halt or StopRequest()))
        for subfolder in (folder / "out", folder / "kept"):
            subfolder.mkdir(parents=True)
        return self.last
