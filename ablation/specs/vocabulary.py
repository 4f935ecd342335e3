"""The closed sets of words that records, file names and commands share: stages, states, factors and seeds."""

from enum import StrEnum


class StageName(StrEnum):
    """The stages of a cell, in the order in which they run; each word is also a folder of the store."""

    POOL = "pool"
    """Read the corpus and encode its trajectories."""
    SIFT = "sift"
    """Keep of the pool what may be used: the filters of the corpus."""
    NEAR = "near"
    """Rank problems by their likeness to a benchmark; only where a category asks for it."""
    SELECT = "select"
    """Draw the N trajectories of the cell."""
    TRAIN = "train"
    """Fine-tune the base model on the selection."""
    SAMPLE = "sample"
    """Let the model answer every question n times."""
    GRADE = "grade"
    """Judge every attempt. Where this stage is complete, the cell is."""


class CellState(StrEnum):
    """Where a cell stands; exactly one at any time."""

    DONE = "done"
    RUNNING = "running"
    QUEUED = "queued"
    HELD = "held"
    """In the queue, and it stays there until somebody releases it."""
    FAILED = "failed"
    LOST = "lost"
    """It left the queue without a result and without a cause."""
    UNKNOWN = "unknown"
    """Slurm does not answer."""
    MISSING = "missing"
    """Nobody has started it, or what is left of it waits to be submitted."""

    @property
    def is_pending(self) -> bool:
        """True while somebody may be at work on the cell, or will be: it must not be submitted again."""
        return self in (CellState.QUEUED, CellState.RUNNING, CellState.HELD, CellState.UNKNOWN)

    @property
    def is_over(self) -> bool:
        """True when nobody works on the cell any more: it is complete, or it ended without a result."""
        return self in (CellState.DONE, CellState.FAILED, CellState.LOST)

    @property
    def is_failure(self) -> bool:
        """True when the work ended without a result."""
        return self in (CellState.FAILED, CellState.LOST)


# P = f(C, N, L, S), in this order everywhere.
FACTORS = ("category", "count", "length", "style")
# Each seeds one stage: `select`, `train`, `sample`.
SEEDS = ("data", "train", "sample")
