"""The loss curve, from what the trainer logged at each update.

The trainer keeps its log in every checkpoint, and the sizes of the updates follow from the seed. So a run that was interrupted
has the same curve as one that was not; the trainer's own counters (mean loss, tokens seen) begin again at every start.
"""

import json
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any


def updates_in(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of the trainer's log that are about an update."""
    return [line for line in log if "loss" in line]


def curve_lines(log: Sequence[dict[str, Any]], sizes: Iterable[tuple[int, int]]) -> list[str]:
    """One JSON line for each update: loss, learning rate, gradient norm, and its examples and tokens, given as `sizes`."""
    lines, total = [], 0
    for told, (examples, tokens) in zip(updates_in(log), sizes, strict=True):
        total += tokens
        seen = {name: told[name] for name in ("loss", "learning_rate", "grad_norm")}
        sums = {"examples": examples, "tokens": tokens, "total_tokens": total}
        lines.append(json.dumps({"update": told["step"], **seen, **sums}))
    return lines


def mean_loss(log: Sequence[dict[str, Any]]) -> float:
    """The mean of the updates' losses, added up in their order."""
    losses = [line["loss"] for line in updates_in(log)]
    return float(reduce(operator.add, losses, 0.0) / len(losses))
