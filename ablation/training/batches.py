"""Which examples make up each update, and how an update is cut into the shares of the processes.

The first is science: a seeded order of its own in every epoch, the last update of an epoch taking what is left. The second must
not change a number: an update is the same examples on any number of processes, so nothing is repeated to make shares even.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler


@dataclass(frozen=True)
class Updates:
    """The updates of a run: `examples` in batches of `batch`, shuffled anew in each epoch."""

    examples: int
    batch: int
    epochs: int
    seed: int

    @property
    def per_epoch(self) -> int:
        """Updates in one epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def of_epoch(self, epoch: int) -> list[list[int]]:
        """The examples of each update of an epoch (from 0), by their place in the data."""
        shuffled = torch.randperm(self.examples, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
        return [shuffled[start : start + self.batch] for start in range(0, self.examples, self.batch)]

    def sizes(self, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Number of examples and of tokens of every update of the run, in order; `lengths` are tokens by example."""
        for epoch in range(self.epochs):
            for chosen in self.of_epoch(epoch):
                yield len(chosen), sum(lengths[index] for index in chosen)


class Share(Sampler[list[int]]):
    """The micro-batches of one process, for `DataLoader(batch_sampler=…)`: every process gets equally many in each update.

    Where nothing is left for a process its micro-batch is ``[examples]``, the index behind the last example: the data hold a
    filler there that carries no loss. `update` tells how many updates are done, so that a loader made anew goes on in the right
    epoch.
    """

    def __init__(self, updates: Updates, rows: int, rank: int, ranks: int, update: Callable[[], int]) -> None:
        self.updates, self.rows, self.rank, self.ranks, self.update = updates, rows, rank, ranks, update

    def __len__(self) -> int:
        full, rest = divmod(self.updates.examples, self.updates.batch)
        return full * (self.updates.batch // self._step) + -(-rest // self._step)

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.update() // self.updates.per_epoch
        for chosen in self.updates.of_epoch(epoch):
            for start in range(0, len(chosen), self._step):
                first = start + self.rank * self.rows
                yield chosen[first : min(first + self.rows, start + self._step)] or [self.updates.examples]

    @property
    def _step(self) -> int:
        """Examples that all processes together take in one step."""
        return self.rows * self.ranks
