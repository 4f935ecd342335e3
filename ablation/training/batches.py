"""The examples of each update, and the micro-batches that go through the model at once.

Which examples make up an update is science: every epoch has a seeded order of its own, and its last update takes what remains.
How an update is cut must not change a number: it is the same examples on any number of processes, padded or packed, and no
example is repeated to make the processes' shares even.
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
    """The first `count` updates on `examples` in batches of `batch`, shuffled anew in each epoch.

    An update is the list of its examples, by their place in the data. The last of an epoch may be smaller.

    >>> updates = Updates(examples=5, batch=2, count=4, seed=0)
    >>> [len(update) for update in updates]
    [2, 2, 1, 2]
    >>> sorted(index for update in updates.of_epoch(0) for index in update)
    [0, 1, 2, 3, 4]
    """

    examples: int
    batch: int
    count: int
    seed: int

    @staticmethod
    def of(recipe: Train, lengths: Sequence[int], seed: int) -> "Updates":
        """Return as many updates as the recipe's budget allows. `lengths` are the tokens of each example.

        A budget of tokens ends with the update that reaches it.
        """
        without_end = Updates(len(lengths), recipe.batch, 0, seed)
        if recipe.epochs:
            count = recipe.epochs * without_end.per_epoch
        elif recipe.updates:
            count = recipe.updates
        else:
            count, tokens_left = 0, recipe.tokens or 0
            for update in without_end.endlessly():
                count, tokens_left = count + 1, tokens_left - sum(lengths[index] for index in update)
                if tokens_left <= 0:
                    break
        return Updates(len(lengths), recipe.batch, count, seed)

    @property
    def per_epoch(self) -> int:
        """Updates in one epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def of_epoch(self, epoch: int) -> list[list[int]]:
        """Return the updates of an epoch, which count from 0."""
        shuffled = torch.randperm(self.examples, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
        return [shuffled[start : start + self.batch] for start in range(0, self.examples, self.batch)]

    def endlessly(self) -> Iterator[list[int]]:
        """Yield update after update, whatever the count."""
        epoch = 0
        while True:
            yield from self.of_epoch(epoch)
            epoch += 1

    def __iter__(self) -> Iterator[list[int]]:
        return islice(self.endlessly(), self.count)

    def sizes(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the number of examples and of tokens of every update, in order. `lengths` are the tokens of each example."""
        return ((len(update), sum(lengths[index] for index in update)) for update in self)


class MicroBatching(Protocol):
    """A way to cut an update into micro-batches."""

    def width(self, lengths: Sequence[int]) -> int:
        """Return the tokens that examples of these lengths take in one micro-batch, padding included."""
        ...

    def cut(self, update: Sequence[int], processes: int, /) -> list[list[int]]:
        """Return the micro-batches of an update, with each of its examples once.

        The first `processes` of them are the first step of that many processes, the next ones the second step, and so on.
        """
        ...


@dataclass(frozen=True)
class PaddedBatching:
    """Micro-batches of `rows` examples, each example filled up to the longest of its micro-batch.

    >>> PaddedBatching(rows=2).cut([7, 3, 5, 1, 9], 2)
    [[7, 3], [5, 1], [9]]
    >>> PaddedBatching(rows=2).width([10, 4])
    20
    """

    rows: int

    def width(self, lengths: Sequence[int]) -> int:
        """Return the size of a block in which all are as long as the longest."""
        return len(lengths) * max(lengths)

    def cut(self, update: Sequence[int], _processes: int, /) -> list[list[int]]:
        """Return the examples in their order: the same micro-batches for any number of processes."""
        return [list(update[start : start + self.rows]) for start in range(0, len(update), self.rows)]


@dataclass(frozen=True)
class PackedBatching:
    """Micro-batches of one row each, in which examples stand end to end up to `room` tokens.

    `lengths` are the tokens of each example, none above `room`. The rows are about equally full: the longest example goes first,
    each into the emptiest row. That is Graham's LPT rule (1969): the fullest row holds at most 4/3 of the best possible.

    >>> PackedBatching(lengths=[6, 5, 4, 3, 2], room=11).cut([0, 1, 2, 3, 4], 2)
    [[0, 3, 4], [1, 2]]
    >>> PackedBatching(lengths=[6], room=11).cut([0], 2)
    [[0], []]
    """

    lengths: Sequence[int]
    room: int

    def width(self, lengths: Sequence[int]) -> int:
        """Return the sum of the lengths: a row has no padding."""
        return sum(lengths)

    def cut(self, update: Sequence[int], processes: int, /) -> list[list[int]]:
        """Return a multiple of `processes` rows, the fullest first; some may be empty.

        So every process has a row in each step.
        """
        tokens = sum(self.lengths[index] for index in update)
        steps = max(1, -(-tokens // (self.room * processes)))
        # Rows of that total may still not fit the examples, since an example is never split over two rows.
        while (rows := self._spread(update, steps * processes)) is None:
            steps += 1
        return rows

    def _spread(self, update: Sequence[int], count: int) -> list[list[int]] | None:
        """Return the update in `count` rows, or None where one would have to hold more than `room` tokens."""
        rows: list[list[int]] = [[] for _ in range(count)]
        filled = [0] * count
        for index in sorted(update, key=lambda index: (-self.lengths[index], index)):
            emptiest = filled.index(min(filled))
            rows[emptiest].append(index)
            filled[emptiest] += self.lengths[index]
        fullest_first = sorted(range(count), key=lambda row: -filled[row])
        return [rows[row] for row in fullest_first] if max(filled) <= self.room else None


@dataclass(frozen=True)
class MicroBatchPlan:
    """The steps in which each update goes through the model: one micro-batch a step in each of `processes`.

    The trainer needs equally many steps in every process and update. A process that has no examples in a step gets
    ``[examples]``, the index behind the last example: the data hold a filler there that carries no loss.

    An update of five examples, two at a time on two processes, needs two steps. In the second one process 1 has nothing left:

    >>> plan = MicroBatchPlan(Updates(examples=5, batch=5, count=1, seed=0), PaddedBatching(rows=2), processes=2)
    >>> plan.steps_per_update
    2
    >>> [sorted(micro_batch) for micro_batch in plan.of_epoch(0, process=0)]
    [[0, 4], [2]]
    >>> [sorted(micro_batch) for micro_batch in plan.of_epoch(0, process=1)]
    [[1, 3], [5]]
    """

    updates: Updates
    batching: MicroBatching
    processes: int = 1

    @cached_property
    def steps_per_update(self) -> int:
        """Steps of every update but the last of an epoch: as many as the one that needs most."""
        return max(self._steps_needed)

    @cached_property
    def steps_per_last(self) -> int:
        """Steps of the last update of every epoch, which may be smaller."""
        per_epoch = self.updates.per_epoch
        return max(self._steps_needed[per_epoch - 1 :: per_epoch], default=self.steps_per_update)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return (self.updates.per_epoch - 1) * self.steps_per_update + self.steps_per_last

    def of_epoch(self, epoch: int, process: int) -> Iterator[list[int]]:
        """Yield the micro-batches of a process, equally many in each process."""
        for number, update in enumerate(self.updates.of_epoch(epoch), start=1):
            micro_batches = self.batching.cut(update, self.processes)[process :: self.processes]
            steps = self.steps_per_last if number == self.updates.per_epoch else self.steps_per_update
            micro_batches += [[]] * (steps - len(micro_batches))
            yield from (micro_batch or [self.updates.examples] for micro_batch in micro_batches)

    def count_tokens(self, lengths: Sequence[int], first: int) -> tuple[int, int]:
        """Return the tokens of all updates from the `first` (0) on, without and with padding, over all processes."""
        useful = padded = 0
        for update in islice(self.updates, first, None):
            cut = self.batching.cut(update, self.processes)
            micro_batches = [[lengths[index] for index in micro_batch] for micro_batch in cut if micro_batch]
            useful += sum(map(sum, micro_batches))
            padded += sum(map(self.batching.width, micro_batches))
        return useful, padded

    @cached_property
    def _steps_needed(self) -> list[int]:
        return [-(-len(self.batching.cut(update, self.processes)) // self.processes) for update in self.updates]


class MicroBatchSampler(Sampler[list[int]]):
    """The micro-batches of one process, for ``DataLoader(batch_sampler=…)``.

    `updates_done` returns how many updates are done, so that a loader which is made anew goes on in the right epoch.
    """

    def __init__(self, plan: MicroBatchPlan, process: int, updates_done: Callable[[], int]) -> None:
        self.plan, self.process, self.updates_done = plan, process, updates_done

    def __len__(self) -> int:
        return self.plan.steps_per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        return self.plan.of_epoch(self.updates_done() // self.plan.updates.per_epoch, self.process)
