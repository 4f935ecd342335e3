"""Failures, grouped by what went wrong, each with its class and what to do next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.jobs.status.error_kinds import NEXT_STEPS, class_of_message
from ablation.jobs.status.states import CellStatus

_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")


@dataclass(frozen=True)
class Failure:
    """Cells that failed alike: one message with its numbers masked, its class, and the next step."""

    message: str
    kind: str
    next_step: str
    cells: tuple[str, ...]


def group_failures(states: Sequence[CellStatus]) -> list[Failure]:
    """The failed, lost and held cells, the largest group first."""
    groups: dict[tuple[str, str], list[CellStatus]] = {}
    for one in states:
        if one.state in ("failed", "lost", "held"):
            kind = one.state if one.state == "held" else one.kind or class_of_message(one.detail or "")
            text = one.detail or one.state  # why cells are held is said once, of others
            groups.setdefault((kind, text if kind == "held" else normalised_message(text, one.name)), []).append(one)
    found = [
        Failure(text, kind, NEXT_STEPS.get(kind, NEXT_STEPS["error"]), tuple(one.name for one in members))
        for (kind, text), members in groups.items()
    ]
    return sorted(found, key=lambda failure: -len(failure.cells))


def normalised_message(message: str, cell: str) -> str:
    """The first line of a message without what differs between cells: the cell's name, numbers, addresses."""
    return _NUMBERS.sub("#", (message.splitlines() or [""])[0].replace(cell, "CELL"))
