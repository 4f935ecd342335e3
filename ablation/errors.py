"""The ways in which this program refuses or gives up, each with a `kind` that decides whether trying again makes sense."""

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class AblationError(Exception):
    """Base of every error that this package raises on purpose; its text is meant for the user, without a trace."""

    kind: ClassVar[str] = "error"
    # What a command ends with: 2 refused, 3 the cluster cannot be reached.
    exit_code: ClassVar[int] = 2


class ConfigProblems(AblationError):  # noqa: N818 it lists problems; each of them is a sentence
    """Everything that is wrong with a configuration, all at once. `problems` are whole sentences without duplicates."""

    kind = "config_error"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(
            "\n".join([f"{head} in the configuration; nothing was started:", *map("  - {}".format, self.problems)])
        )


class UsageError(AblationError):
    """A command was given in a way that it cannot carry out; nothing was changed."""


class RecordError(AblationError):
    """A record on disk is damaged, of another format, or disagrees with what is asked for."""

    kind = "record_error"


class DataError(AblationError):
    """A corpus or benchmark breaks its schema; the text names file, row and column."""

    kind = "data_error"


class OutOfMemory(AblationError):  # noqa: N818 named as torch names it
    """The device's memory does not hold even one row of the batch; the text says what to change."""

    kind = "oom_gpu"


class BadLoss(AblationError):  # noqa: N818 named after what was seen
    """The loss leads nowhere. Every process of a world sees it at the same update; the same input would fail again."""


class NanLoss(BadLoss):
    """The loss is no longer a number."""

    kind = "nan_loss"


class ExplodedLoss(BadLoss):
    """The loss has left what a model can have."""

    kind = "exploded_loss"


class NoGradient(BadLoss):
    """Nothing reaches the weights."""

    kind = "no_gradient"


class StillWeights(BadLoss):
    """Updates leave the weights as they were, so the loss cannot move."""

    kind = "still_weights"


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """A hint ``; did you mean 'x'?`` with the closest allowed name, or the empty string."""
    match = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean '{match[0]}'?" if match else ""


def first_line(error: Exception) -> str:
    """What an error of a library says, on one line of at most 200 characters; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
