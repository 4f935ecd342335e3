"""How long the trajectories of each cell are, from pools that have been read already."""

from collections.abc import Sequence

from ablation.cell import Cell, addresses
from ablation.errors import ConfigProblems
from ablation.store import Store


def mean_lengths(cells: Sequence[Cell], store: Store) -> dict[Cell, float]:
    """The mean tokens of the trajectories that each trained cell draws from, where its pool is in the store."""
    from ablation.corpus.select import mean_tokens, read_pool_index

    indices = {}
    measured: dict[tuple[object, ...], float | None] = {}
    found: dict[Cell, float] = {}
    for cell in cells:
        if cell.is_base:
            continue
        drawn = (cell.corpus, cell.model.source, cell.category, cell.length, cell.style)
        if drawn not in measured:
            address = addresses(cell)["pool"]
            if address.folder not in indices:
                indices[address.folder] = read_pool_index(store.path(address)) if store.has(address) else None
            pool = indices[address.folder]
            try:
                measured[drawn] = None if pool is None else mean_tokens(pool, cell)
            except ConfigProblems:  # a level that the corpus lacks; the launch says so
                measured[drawn] = None
        length = measured[drawn]
        if length is not None:
            found[cell] = length
    return found
