"""The errors that this package raises on purpose. Each has a `kind`, which decides whether trying again makes sense."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar


class AblationError(Exception):
    """Base of every error that this package raises on purpose. Its text is meant for the user, without a trace."""

    kind: ClassVar[str] = "error"
    """The class of the failure, in the records of jobs and in the policy of retries."""
    exit_code: ClassVar[int] = 2
    """Exit status of a command: 2 refused, 3 the cluster cannot be reached."""


class ConfigProblems(AblationError):  # noqa: N818 it lists problems; each of them is a sentence
    """All problems of a configuration at once. `problems` are whole sentences without duplicates."""

    kind = "config_error"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(
            "\n".join([f"{head} in the configuration; nothing was started:", *map("  - {}".format, self.problems)])
        )


class UsageError(AblationError):
    """A command cannot be carried out as it was asked for. Nothing was changed."""


class RecordError(AblationError):
    """A record on disk is damaged, of another format, or disagrees with what is asked for."""

    kind = "record_error"


class DataError(AblationError):
    """A corpus or benchmark breaks its schema. The text names file, row and column."""

    kind = "data_error"


class OutOfMemory(AblationError):  # noqa: N818 named as torch names it
    """The device's memory does not hold even one row of the batch. The text says what to change."""

    kind = "oom_gpu"


class BadLoss(AblationError):  # noqa: N818 named after what was seen
    """Training cannot succeed. Every process of the process group sees it at the same update; the same input would fail again."""


class NanLoss(BadLoss):
    """The loss is no longer a number."""

    kind = "nan_loss"


class ExplodedLoss(BadLoss):
    """The loss has left what a model can have."""

    kind = "exploded_loss"


class NoGradient(BadLoss):
    """No gradient reaches the weights."""

    kind = "no_gradient"


class StillWeights(BadLoss):
    """Updates leave the weights as they were, so the loss cannot move."""

    kind = "still_weights"


def did_you_mean(name: str, allowed: Iterable[str], meaning: Callable[[str], str | None] = lambda _: None) -> str:
    """Return a hint with the closest allowed name, or the empty string where none is close.

    >>> did_you_mean("algbra", ["algebra", "geometry"])
    "; did you mean 'algebra'?"
    >>> did_you_mean("epoch", ["epochs"], lambda name: "passes over the selection")
    "; did you mean 'epochs' (passes over the selection)?"
    """
    matches = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    if not matches:
        return ""
    explained = meaning(matches[0])
    return f"; did you mean '{matches[0]}'{f' ({explained})' if explained else ''}?"


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, at most 200 characters; the name of its type where it has no text."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
