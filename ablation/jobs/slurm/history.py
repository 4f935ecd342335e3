"""What a job did with a cell: a line when it began, a line when it ended, in one file for each cell beside its frozen job.

A worker adds its lines in one write each, so a line is whole or, after a crash, the last of its file; a torn one is passed over.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ablation.store.files import flush


@dataclass(frozen=True)
class Event:
    """`job` is Slurm's ``JOB_INDEX`` and `restart` how often Slurm had started it again.

    An end has a `kind`: None when the part is complete, ``interrupted`` when it was asked to stop and goes on later, ``held``
    when it was turned away before it began, else the class of the failure, which `error` tells in words. `seconds` is wall time,
    `notes` what else a reader should know.
    """

    what: Literal["began", "ended"]
    job: str
    restart: int
    stage: str
    host: str
    kind: str | None = None
    error: str | None = None
    seconds: float = 0.0
    ran: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True for the end of a part that has all its results."""
        return self.what == "ended" and self.kind is None

    @property
    def is_failure(self) -> bool:
        """True for an end after which nothing goes on by itself."""
        return self.what == "ended" and self.kind not in (None, "interrupted", "held")

    @property
    def is_held(self) -> bool:
        """True for a part that was turned away because its array is held."""
        return self.what == "ended" and self.kind == "held"


def record(jobs: Path, cell: str, event: Event) -> None:
    """Add a line. Raises OSError, such as on a full disk."""
    path = _path(jobs, cell)
    is_new = not path.exists()
    with path.open("ab", buffering=0) as stream:
        # The newline before keeps a line apart from one that a dying writer did not finish.
        stream.write(f"\n{json.dumps(asdict(event))}\n".encode())
        os.fsync(stream.fileno())
    if is_new:  # else a power cut would take the file with its name
        flush(jobs)


def read(jobs: Path, cell: str) -> list[Event]:
    """Every whole line, in the order in which they were written."""
    try:
        lines = _path(jobs, cell).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines if line and (event := _parsed(line))]


def _parsed(line: str) -> Event | None:
    try:
        told = json.loads(line)
        event = Event(**{**told, "ran": tuple(told.get("ran", ())), "notes": tuple(told.get("notes", ()))})
    except (ValueError, TypeError, AttributeError):
        return None
    return event if event.what in ("began", "ended") else None


def _path(jobs: Path, cell: str) -> Path:
    return jobs / f"{cell}.history.jsonl"
