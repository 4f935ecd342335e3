"""What was handed to Slurm: a line before each sbatch, and a line after it.

A process killed between the two leaves an intent without an id. The next one looks for the job by its name, which is unique
to the intent, before it submits anything again.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ablation.config.cluster import JobPart
from ablation.errors import RecordError
from ablation.store.files import flush

LEDGER = "submissions.jsonl"
LEDGER_FORMAT = 2
# Lines of format 1 had one cell a task and no parts; they say nothing of a format.
_READABLE = (1, LEDGER_FORMAT)


@dataclass(frozen=True)
class Submission:
    """One array: its unique name, its part of the cells, the cells of each task, and Slurm's id once it is known.

    `after` names the array of the part before, `gate` the canary's. `retries` gives the class of the failure after which a cell
    is tried again, `mem_gb` the memory that was asked for.
    """

    name: str
    tasks: tuple[tuple[str, ...], ...]
    job: str | None = None
    stage: JobPart = "cell"
    after: str | None = None
    gate: str | None = None
    retries: Mapping[str, str] = field(default_factory=dict)
    mem_gb: int | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """All cells, in order of tasks."""
        return tuple(cell for task in self.tasks for cell in task)


@dataclass(frozen=True)
class Ledger:
    """The submissions of one study, in order."""

    path: Path

    def intend(self, one: Submission) -> None:
        """Say what is about to be submitted."""
        told = {
            "format": LEDGER_FORMAT,
            "name": one.name, "tasks": one.tasks, "stage": one.stage, "after": one.after, "gate": one.gate,
            "retries": dict(one.retries), "mem_gb": one.mem_gb,
        }  # fmt: skip
        self._append(told)

    def confirm(self, name: str, job: str) -> None:
        """Say under which id Slurm took it."""
        self._append({"name": name, "job": job})

    def withdraw(self, name: str) -> None:
        """Say that Slurm does not have it."""
        self._append({"name": name, "job": ""})

    def postpone(self, cells: Sequence[str], why: str) -> None:
        """Say which cells wait for room in the queue; replaces what was said before."""
        self._append({"waiting": list(cells), "why": why})

    def submissions(self) -> list[Submission]:
        """All submissions that were not withdrawn. A torn last line, from a process that died writing it, is ignored."""
        found: dict[str, Submission] = {}
        for told in self._lines():
            if "waiting" in told:
                continue
            if "job" not in told:
                found[told["name"]] = _submission(told)
            elif told["job"]:
                found[told["name"]] = replace(found[told["name"]], job=told["job"])
            else:
                found.pop(told["name"], None)
        return list(found.values())

    def waiting(self) -> dict[str, str]:
        """Why a cell has not been submitted yet, for the cells that wait for room."""
        found: dict[str, str] = {}
        for told in self._lines():
            if "waiting" in told:
                found = dict.fromkeys(told["waiting"], told["why"])
        return found

    def settled(self, look_up: Callable[[str], str | None]) -> list[Submission]:
        """All submissions that Slurm has or had; writes nothing, which `adopt` does.

        `look_up` gives the id of an intent that was not confirmed, or None.
        """
        found = [one if one.job else replace(one, job=look_up(one.name)) for one in self.submissions()]
        return [one for one in found if one.job]

    def adopt(self, look_up: Callable[[str], str | None]) -> list[Submission]:
        """Confirm every intent that Slurm has, withdraw those that it has not; the submissions `settled`."""
        found = self.settled(look_up)
        ids = {one.name: one.job for one in found}
        for open_intent in [one.name for one in self.submissions() if one.job is None]:
            job = ids.get(open_intent)
            self.confirm(open_intent, job) if job else self.withdraw(open_intent)
        return found

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
            whole = lines[:-1]  # what follows the last newline was not finished
            found = [dict(json.loads(line)) for line in whole if line]
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(error) from error
        for told in found:
            if told.get("format", 1) not in _READABLE:
                raise RecordError(
                    f"{self.path} has format {told['format']}, this version reads up to {LEDGER_FORMAT}; "
                    "use the version that wrote it"
                )
            if "waiting" not in told and not ("name" in told and told.keys() & {"tasks", "cells", "job"}):
                raise self._damaged("it is not a ledger of submissions")
        return found

    def _damaged(self, error: object) -> RecordError:
        return RecordError(
            f"{self.path} is damaged ({error}); compare it with squeue, move it away, and launch again: what is done stays done"
        )

    def _append(self, told: dict[str, object]) -> None:
        is_new = not self.path.exists()
        with self.path.open("a+b") as stream:
            stream.truncate(self._whole_bytes())
            stream.write((json.dumps(told) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            flush(self.path.parent)

    def _whole_bytes(self) -> int:
        """Bytes up to the last newline: a line that its writer did not finish says nothing."""
        return self.path.read_bytes().rfind(b"\n") + 1


def latest_tasks(submissions: Sequence[Submission]) -> dict[str, dict[JobPart, "SubmittedTask"]]:
    """Where each cell was submitted last, by part: a training and the evaluation that follows it, or one of them alone."""
    found: dict[str, dict[JobPart, SubmittedTask]] = {}
    for one in submissions:
        if one.job is None:
            continue
        for index, task in enumerate(one.tasks):
            for cell in task:
                place = SubmittedTask(f"{one.job}_{index}", one)
                found[cell] = {**(found.get(cell, {}) if one.after else {}), one.stage: place}
    return found


@dataclass(frozen=True)
class SubmittedTask:
    """A task, as Slurm's ``JOB_INDEX``, and the submission that it belongs to."""

    job: str
    submission: Submission


def _submission(told: Mapping[str, Any]) -> Submission:
    if "tasks" not in told:
        return Submission(told["name"], tuple((cell,) for cell in told["cells"]))
    return Submission(
        told["name"],
        tuple(tuple(task) for task in told["tasks"]),
        None,
        told["stage"],
        told["after"],
        told["gate"],
        told["retries"],
        told["mem_gb"],
    )
