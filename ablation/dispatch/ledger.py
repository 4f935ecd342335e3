"""What was handed to Slurm: a line before each sbatch, and a line after it.

A process killed between the two leaves an intent without an id. The next one looks for the job by its name, which is unique
to the intent, before it submits anything again.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.errors import RecordError

LEDGER = "submissions.jsonl"


@dataclass(frozen=True)
class Submission:
    """One array: its unique name, the cells by index, and Slurm's id once it is known."""

    name: str
    cells: tuple[str, ...]
    job: str | None


@dataclass(frozen=True)
class Ledger:
    """The submissions of one study, in order."""

    path: Path

    def intend(self, name: str, cells: tuple[str, ...]) -> None:
        """Say what is about to be submitted."""
        self._append({"name": name, "cells": cells})

    def confirm(self, name: str, job: str) -> None:
        """Say under which id Slurm took it."""
        self._append({"name": name, "job": job})

    def withdraw(self, name: str) -> None:
        """Say that Slurm does not have it."""
        self._append({"name": name, "job": ""})

    def submissions(self) -> list[Submission]:
        """All submissions that were not withdrawn. A torn last line, from a process that died writing it, is ignored."""
        found: dict[str, Submission] = {}
        for told in self._lines():
            if "cells" in told:
                found[told["name"]] = Submission(told["name"], tuple(told["cells"]), None)
            elif told["job"]:
                found[told["name"]] = replace(found[told["name"]], job=told["job"])
            else:
                found.pop(told["name"], None)
        return list(found.values())

    def adopt(self, look_up: Callable[[str], str | None]) -> None:
        """Settle every intent without an id: confirm it when Slurm has a job of that name, else withdraw it."""
        for open_intent in [one for one in self.submissions() if one.job is None]:
            job = look_up(open_intent.name)
            self.confirm(open_intent.name, job) if job else self.withdraw(open_intent.name)

    def latest(self) -> dict[str, str]:
        """Cell → ``JOB_INDEX`` of its last submission that Slurm took."""
        return {
            cell: f"{one.job}_{index}" for one in self.submissions() if one.job for index, cell in enumerate(one.cells)
        }

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        whole = lines[:-1]  # what follows the last newline was not finished
        try:
            return [json.loads(line) for line in whole if line]
        except ValueError as error:
            raise RecordError(
                f"{self.path} is damaged ({error}); compare it with squeue before you submit again"
            ) from error

    def _append(self, told: dict[str, object]) -> None:
        with self.path.open("a+b") as stream:
            stream.truncate(self._whole_bytes())
            stream.write((json.dumps(told) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _whole_bytes(self) -> int:
        """Bytes up to the last newline: a line that its writer did not finish says nothing."""
        return self.path.read_bytes().rfind(b"\n") + 1
