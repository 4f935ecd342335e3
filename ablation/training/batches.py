"""Which examples make up each update, and how an update is cut into what goes through the model at once.

The first is science: a seeded order of its own in every epoch, the last update of an epoch taking what is left. The second must
not change a number: an update is the same examples on any number of processes, padded or packed, and nothing is repeated to make
shares even.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Protocol

import torch
from torch.utils.data import Sampler

from ablation.specs import Train


@dataclass(frozen=True)
class Updates:
    """The first `count` updates on `examples` in batches of `batch`, shuffled anew in each epoch."""

    examples: int
    batch: int
    count: int
    seed: int

    @staticmethod
    def of(recipe: Train, lengths: Sequence[int], seed: int) -> "Updates":
        """As many as the recipe's budget allows; `lengths` are tokens by example. A budget of tokens ends with the update that
        reaches it.
        """
        without_end = Updates(len(lengths), recipe.batch, 0, seed)
        if recipe.epochs:
            count = recipe.epochs * without_end.per_epoch
        elif recipe.updates:
            count = recipe.updates
        else:
            count, left = 0, recipe.tokens or 0
            for chosen in without_end.endlessly():
                count, left = count + 1, left - sum(lengths[index] for index in chosen)
                if left <= 0:
                    break
        return Updates(len(lengths), recipe.batch, count, seed)

    @property
    def per_epoch(self) -> int:
        """Updates in one epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def of_epoch(self, epoch: int) -> list[list[int]]:
        """The examples of each update of an epoch (from 0), by their place in the data."""
        shuffled = torch.randperm(self.examples, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
        return [shuffled[start : start + self.batch] for start in range(0, self.examples, self.batch)]

    def endlessly(self) -> Iterator[list[int]]:
        """The examples of update after update, whatever the count."""
        epoch = 0
        while True:
            yield from self.of_epoch(epoch)
            epoch += 1

    def __iter__(self) -> Iterator[list[int]]:
        return islice(self.endlessly(), self.count)

    def sizes(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Number of examples and of tokens of every update of the run, in order; `lengths` are tokens by example."""
        return ((len(chosen), sum(lengths[index] for index in chosen)) for chosen in self)


class MicroBatching(Protocol):
    """How an update is cut into micro-batches; the first `ranks` of them are the first step of that many processes."""

    def width(self, lengths: Sequence[int]) -> int:
        """Tokens that examples of these lengths take in one micro-batch, padding included."""
        ...

    def __call__(self, chosen: Sequence[int], ranks: int) -> list[list[int]]:
        """All examples of the update, each once."""
        ...


@dataclass(frozen=True)
class PaddedBatching:
    """`rows` examples at a time in their order, each filled up to the longest of them."""

    rows: int

    def width(self, lengths: Sequence[int]) -> int:
        """All as long as the longest."""
        return len(lengths) * max(lengths)

    def __call__(self, chosen: Sequence[int], ranks: int) -> list[list[int]]:
        """Any number of micro-batches."""
        del ranks
        return [list(chosen[start : start + self.rows]) for start in range(0, len(chosen), self.rows)]


@dataclass(frozen=True)
class PackedBatching:
    """Examples end to end in rows of at most `room` tokens, as equally filled as longest-first into the emptiest row makes them.

    `lengths` are tokens by example, none above `room`. The rule is Graham's LPT (1969): the fullest row holds at most 4/3 of the
    best possible.
    """

    lengths: Sequence[int]
    room: int

    def width(self, lengths: Sequence[int]) -> int:
        """End to end."""
        return sum(lengths)

    def __call__(self, chosen: Sequence[int], ranks: int) -> list[list[int]]:
        """A multiple of `ranks` micro-batches, so that every process has a row in each step; some may be empty."""
        tokens = sum(self.lengths[index] for index in chosen)
        steps = max(1, -(-tokens // (self.room * ranks)))
        while (rows := self._spread(chosen, steps * ranks)) is None:
            steps += 1
        return rows

    def _spread(self, chosen: Sequence[int], count: int) -> list[list[int]] | None:
        rows: list[list[int]] = [[] for _ in range(count)]
        filled = [0] * count
        for index in sorted(chosen, key=lambda index: (-self.lengths[index], index)):
            emptiest = filled.index(min(filled))
            rows[emptiest].append(index)
            filled[emptiest] += self.lengths[index]
        fullest_first = sorted(range(count), key=lambda row: -filled[row])
        return [rows[row] for row in fullest_first] if max(filled) <= self.room else None


@dataclass(frozen=True)
class MicroBatchPlan:
    """How each update goes through the model on `ranks` processes, a micro-batch in each of them at a time.

    A micro-batch with nothing in it is ``[examples]``, the index behind the last example: the data hold a filler there that
    carries no loss.
    """

    updates: Updates
    cut: MicroBatching
    ranks: int = 1

    @cached_property
    def per_update(self) -> int:
        """Steps of every update but the last of an epoch: as many as the one that needs most."""
        return max(self._needed)

    @cached_property
    def per_last(self) -> int:
        """Steps of the last update of every epoch, which may be smaller."""
        return max(self._needed[self.updates.per_epoch - 1 :: self.updates.per_epoch], default=self.per_update)

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return (self.updates.per_epoch - 1) * self.per_update + self.per_last

    def of_epoch(self, epoch: int, rank: int) -> Iterator[list[int]]:
        """The micro-batches of a process, equally many in each process."""
        for number, chosen in enumerate(self.updates.of_epoch(epoch), start=1):
            given = self.cut(chosen, self.ranks)[rank :: self.ranks]
            steps = self.per_last if number == self.updates.per_epoch else self.per_update
            given += [[]] * (steps - len(given))
            yield from (one or [self.updates.examples] for one in given)

    def tokens_through(self, lengths: Sequence[int], first: int) -> tuple[int, int]:
        """Tokens of the examples, and with padding, of all updates from the `first` (0) on, over all processes."""
        useful = through = 0
        for chosen in islice(self.updates, first, None):
            micro_batches = [[lengths[index] for index in one] for one in self.cut(chosen, self.ranks) if one]
            useful += sum(map(sum, micro_batches))
            through += sum(map(self.cut.width, micro_batches))
        return useful, through

    @cached_property
    def _needed(self) -> list[int]:
        return [-(-len(self.cut(chosen, self.ranks)) // self.ranks) for chosen in self.updates]


class MicroBatchSampler(Sampler[list[int]]):
    """The micro-batches of one process, for `DataLoader(batch_sampler=…)`: every process gets equally many in each update.

    `update` tells how many updates are done, so that a loader made anew goes on in the right epoch.
    """

    def __init__(self, steps: MicroBatchPlan, rank: int, update: Callable[[], int]) -> None:
        self.steps, self.rank, self.update = steps, rank, update

    def __len__(self) -> int:
        return self.steps.per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        return self.steps.of_epoch(self.update() // self.steps.updates.per_epoch, self.rank)
