"""Facts of the corpora that were read before: the mean length of what a cell draws from, and whether there is enough of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.store import Store


@dataclass(frozen=True)
class CorpusFacts:
    """The facts of the corpora of some cells. A cell whose corpus was not read here yet is in `unread` alone."""

    lengths: dict[Cell, float]
    """The mean tokens of the trajectories that a cell draws from."""
    unfilled: tuple[str, ...]
    """A sentence for each reason why cells cannot be filled."""
    unread: tuple[str, ...]
    """The names of the corpora that were not read here yet."""


def corpus_facts(cells: Sequence[Cell], store: Store) -> CorpusFacts:
    """Hold the trained cells against their corpora, as far as these are in the store. Nothing is read for it."""
    from ablation.data.corpus.capacity import cells_by_source, check_fill
    from ablation.data.corpus.select import read_usable

    lengths: dict[Cell, float] = {}
    # A dictionary, as a set that keeps its order.
    unfilled: dict[str, None] = {}
    unread: set[str] = set()
    for members in cells_by_source(cells):
        stages = [
            address for name, address in addresses(members[0]).items() if name in (StageName.SIFT, StageName.NEAR)
        ]
        if all(map(store.is_complete, stages)):
            filled = check_fill(read_usable(*map(store.path, stages)), members)
            lengths |= filled.lengths
            unfilled |= dict.fromkeys(filled.problems)
        elif members[0].corpus:
            unread.add(members[0].corpus.name)
    return CorpusFacts(lengths, tuple(unfilled), tuple(sorted(unread)))
