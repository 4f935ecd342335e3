"""How long the trajectories of each cell are, from pools that have been read already."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.cell import Cell, addresses
from ablation.errors import ConfigProblems
from ablation.store import Store

if TYPE_CHECKING:
    from ablation.corpus.select import Usable


def mean_lengths(cells: Sequence[Cell], store: Store) -> dict[Cell, float]:
    """The mean tokens of the trajectories that each trained cell draws from, where its corpus was read and sifted before."""
    sources: dict[tuple[str, ...], Usable | None] = {}
    measured: dict[tuple[object, ...], float | None] = {}
    found: dict[Cell, float] = {}
    for cell in cells:
        if cell.is_base:
            continue
        drawn = (cell.corpus, cell.model.source, cell.train, cell.category, cell.length, cell.style)
        if drawn not in measured:
            measured[drawn] = _mean_length(cell, store, sources)
        length = measured[drawn]
        if length is not None:
            found[cell] = length
    return found


def _mean_length(cell: Cell, store: Store, sources: "dict[tuple[str, ...], Usable | None]") -> float | None:
    from ablation.corpus.select import mean_tokens, room, usable

    places = [address for name, address in addresses(cell).items() if name in ("sift", "near")]
    folders = tuple(address.folder for address in places)
    if folders not in sources:
        are_there = all(map(store.has, places))
        sources[folders] = usable(*[store.path(address) for address in places]) if are_there else None
    given = sources[folders]
    try:
        return None if given is None else mean_tokens(room(given, cell))
    except ConfigProblems:  # a level that the corpus lacks; the launch says so
        return None
