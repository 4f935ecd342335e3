"""Failures, grouped by what went wrong, each with its class and what to do next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.dispatch.states import CellState

# (pattern of the message, class, next step); the first that matches names the failure.
_CLASSES = (
    (r"OUT_OF_MEMORY", "oom_host", "raise cluster.mem_gb, or run fewer workers; then launch again"),
    (
        r"OutOfMemoryError|CUDA out of memory",
        "oom_gpu",
        "halve cluster.micro_batch (the effective batch stays); then launch again",
    ),
    (
        r"exit code -9",
        "killed",
        "most often the system ran out of memory: run fewer cluster.workers, or raise cluster.mem_gb; then launch again",
    ),
    (r"TIMEOUT", "timeout", "raise cluster.timeout_min; launching again goes on at the stage that was reached"),
    (r"NODE_FAIL|BOOT_FAIL", "node_fail", "launch again: the cell runs elsewhere"),
    (r"CANCELLED|PREEMPTED", "preempted", "launch again: the cell goes on at the stage that was reached"),
    (r"disk full|No space left|Disk quota", "disk_full", "free space or set outputs=DIR; then launch again"),
    (r"problem.* in the configuration", "config_error", "correct the value; launching again as it is would fail again"),
    (r"corpus|benchmark|trajectory", "data_error", "correct the data; launching again as it is would fail again"),
    (r"left the queue without a result", "lost", "launch again: finished stages are kept"),
)
_UNKNOWN = ("error", "read the log (`ablation logs STUDY CELL`), correct the cause, then launch again")
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")


@dataclass(frozen=True)
class Failure:
    """Cells that failed alike: one message with its numbers masked, its class, and the next step."""

    message: str
    kind: str
    next_step: str
    cells: tuple[str, ...]


def failures(states: Sequence[CellState]) -> list[Failure]:
    """The failed and lost cells, the largest group first."""
    groups: dict[str, list[CellState]] = {}
    for one in states:
        if one.state in ("failed", "lost"):
            groups.setdefault(normalised(one.detail or one.state, one.name), []).append(one)
    found = [
        Failure(text, *classify(members[0].detail or ""), tuple(one.name for one in members))
        for text, members in groups.items()
    ]
    return sorted(found, key=lambda failure: -len(failure.cells))


def normalised(message: str, cell: str) -> str:
    """The first line of a message without what differs between cells: the cell's name, numbers, addresses."""
    return _NUMBERS.sub("#", (message.splitlines() or [""])[0].replace(cell, "CELL"))


def classify(message: str) -> tuple[str, str]:
    """Class and next step of a failure."""
    return next(((kind, step) for pattern, kind, step in _CLASSES if re.search(pattern, message)), _UNKNOWN)
