"""Failures, grouped by what went wrong, each with its class and what to do next."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.jobs.status.error_kinds import NEXT_STEPS, class_of_message
from ablation.jobs.status.states import CellStatus
from ablation.specs.vocabulary import CellState

_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")


@dataclass(frozen=True)
class Failure:
    """Cells that failed alike."""

    message: str
    """The message that they share, normalised."""
    kind: str
    """The class of the failure (`NEXT_STEPS` in error_kinds.py lists them)."""
    next_step: str
    """The advice to a person."""
    cells: tuple[str, ...]
    """The names of the cells, in the order of the study."""


def group_failures(states: Sequence[CellStatus]) -> list[Failure]:
    """Return the failed, lost and held cells in groups of one class and one message, the largest group first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for status in states:
        if status.state.is_failure or status.state == CellState.HELD:
            groups.setdefault(_group_of(status), []).append(status.name)
    failures = [
        Failure(text, kind, NEXT_STEPS.get(kind, NEXT_STEPS["error"]), tuple(names))
        for (kind, text), names in groups.items()
    ]
    return sorted(failures, key=lambda failure: -len(failure.cells))


def _group_of(status: CellStatus) -> tuple[str, str]:
    """Return the class and the message under which a cell is grouped."""
    text = status.detail or status.state.value
    if status.state == CellState.HELD:
        # The reason of a hold speaks of other cells, and all that wait have the same: there is nothing to mask.
        return status.state.value, text
    return status.kind or class_of_message(status.detail or ""), normalised_message(text, status.name)


def normalised_message(message: str, cell: str) -> str:
    """Return the first line of a message without the parts that differ between cells: the cell's name, numbers, addresses.

    For the cell ``geometry-n100-a1b2``::

        "geometry-n100-a1b2: loss is nan at update 12 (lr 0.003)"  ->  "CELL: loss is nan at update # (lr #)"
        "<Tensor at 0x7f3a2c> has no gradient"                     ->  "<Tensor at #> has no gradient"
        "exit code -9\\nTraceback …"                               ->  "exit code -#"

    The name goes first, because it has digits of its own.
    """
    return _NUMBERS.sub("#", (message.splitlines() or [""])[0].replace(cell, "CELL"))
