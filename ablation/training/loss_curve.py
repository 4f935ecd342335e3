"""The loss curve, from what the trainer logged at each update.

The trainer keeps its log in every checkpoint, and the sizes of the updates follow from the seed. So a run that was interrupted
has the same curve as one that was not; the trainer's own counters (mean loss, tokens seen) begin again at every start.
"""

import json
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any


def update_lines(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of the trainer's log that are about an update."""
    return [line for line in log if "loss" in line]


def curve_lines(log: Sequence[dict[str, Any]], sizes: Iterable[tuple[int, int]]) -> list[str]:
    """Return one JSON line for each update: loss, learning rate, gradient norm, examples and tokens.

    `sizes` are the examples and the tokens of each update. Raises ValueError when they are not as many as the log's updates.

    >>> log = [{"step": 1, "loss": 2.5, "learning_rate": 0.1, "grad_norm": 1.0, "epoch": 0.5}, {"train_runtime": 9.0}]
    >>> curve_lines(log, [(8, 120)])  # doctest: +NORMALIZE_WHITESPACE
    ['{"update": 1, "loss": 2.5, "learning_rate": 0.1, "grad_norm": 1.0,
       "examples": 8, "tokens": 120, "total_tokens": 120}']
    """
    lines, total_tokens = [], 0
    for logged, (examples, tokens) in zip(update_lines(log), sizes, strict=True):
        total_tokens += tokens
        measured = {name: logged[name] for name in ("loss", "learning_rate", "grad_norm")}
        counts = {"examples": examples, "tokens": tokens, "total_tokens": total_tokens}
        lines.append(json.dumps({"update": logged["step"], **measured, **counts}))
    return lines


def mean_loss(log: Sequence[dict[str, Any]]) -> float:
    """Return the mean of the updates' losses, added up in their order."""
    losses = [line["loss"] for line in update_lines(log)]
    # sum() corrects for rounding since Python 3.12: the record would depend on the version.
    return float(reduce(operator.add, losses, 0.0) / len(losses))
