"""The logs of one cell in the order in which they were begun, whichever machines wrote them, as text that is safe to print."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.jobs.slurm import history
from ablation.jobs.slurm.ledger import LEDGER, Ledger, latest_tasks
from ablation.terminal import printable

# A file on a shared disk is looked at this often while it is followed.
POLL_S = 0.5
_CHUNK_BYTES = 1 << 20


def log_files(study: Path, cell: str) -> list[Path]:
    """The cell's local log, then those of every task that ran it, by history and by its last submission; only what is there."""
    logs = study / "logs"
    ran = [event.job for event in history.read(study / "jobs", cell)]
    submitted = [place.job for place in latest_tasks(Ledger(study / LEDGER).submissions()).get(cell, {}).values()]
    tasks = dict.fromkeys([*ran, *submitted])
    by_task = [path for task in tasks for path in sorted(logs.glob(f"{task}_*_log.*"))]
    return [path for path in dict.fromkeys([logs / f"{cell}.log", *by_task]) if path.is_file()]


@dataclass
class _Reader:
    """How far one file was read; a line that its writer has not finished waits."""

    path: Path
    offset: int = 0

    def lines(self, is_final: bool) -> str:
        """What is new, in whole lines unless this is the last look."""
        read = []
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            while chunk := stream.read(_CHUNK_BYTES):
                read.append(chunk)
        new = b"".join(read)
        if not is_final:
            new = new[: new.rfind(b"\n") + 1]
        self.offset += len(new)
        return printable(new.decode(errors="replace"))


def read_logs(study: Path, cell: str, follow: Callable[[], bool] | None = None) -> Iterator[tuple[Path, str]]:
    """The text of all logs, with its path. With `follow`, what is added too, until `follow` says that the cell ended."""
    readers: dict[Path, _Reader] = {}
    while True:
        goes_on = follow is not None and follow()
        for path in log_files(study, cell):
            reader = readers.setdefault(path, _Reader(path))
            text = reader.lines(is_final=not goes_on)
            if text:
                yield path, text
        if not goes_on:
            return
        time.sleep(POLL_S)
