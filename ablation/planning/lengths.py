"""What the cells of a sweep draw from, where their corpus was read before: its mean length, and whether there is enough of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store


@dataclass(frozen=True)
class CorpusFacts:
    """`lengths`: the mean tokens of what a cell draws from. `unfilled`: why cells cannot be filled, a sentence each.

    `unread` names the corpora that were not read here yet; their cells are in neither.
    """

    lengths: dict[Cell, float]
    unfilled: tuple[str, ...]
    unread: tuple[str, ...]


def corpus_facts(cells: Sequence[Cell], store: Store) -> CorpusFacts:
    """The trained cells held against their corpora, as far as these are in the store; nothing is read for it."""
    from ablation.data.corpus.capacity import by_source, fill
    from ablation.data.corpus.select import usable

    lengths: dict[Cell, float] = {}
    unfilled: dict[str, None] = {}
    unread: set[str] = set()
    for members in by_source(cells):
        places = [address for name, address in addresses(members[0]).items() if name in ("sift", "near")]
        if all(map(store.is_complete, places)):
            found = fill(usable(*map(store.path, places)), members)
            lengths |= found.lengths
            unfilled |= dict.fromkeys(found.problems)
        elif members[0].corpus:
            unread.add(members[0].corpus.name)
    return CorpusFacts(lengths, tuple(unfilled), tuple(sorted(unread)))
