"""What a sweep would do, before anything is spent: cells, work that is done, and what else differs between a factor's levels."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean

from ablation.cell import Cell, addresses
from ablation.store import Store

Measure = Callable[[Cell], float]


@dataclass(frozen=True)
class Confound:
    """A quantity whose mean differs between the levels of a factor: an effect of the factor may be an effect of this."""

    factor: str
    quantity: str
    by_level: dict[str, float]


@dataclass(frozen=True)
class Outlook:
    """Counts of cells and the stages of work that are still to be done, shared work counted once."""

    cells: int
    done: int
    to_do: dict[str, int]
    confounds: tuple[Confound, ...]


def outlook(cells: Sequence[Cell], store: Store) -> Outlook:
    """Look at the store only; nothing is made. A folder that is there counts as done: its seal is read when it is used."""
    stages = {address.folder: address for cell in cells for address in addresses(cell).values()}
    missing = Counter(address.stage for address in stages.values() if not store.has(address))
    total = Counter(address.stage for address in stages.values())
    return Outlook(total["grade"], total["grade"] - missing["grade"], dict(missing), tuple(confounds(cells)))


def updates(cell: Cell) -> int:
    """Optimizer updates: epochs × ⌈N / batch⌉, since the last, smaller batch of an epoch is kept."""
    return cell.train.epochs * ceil(cell.count.size / cell.train.batch) if cell.train else 0


def examples(cell: Cell) -> int:
    """Examples seen: epochs × N."""
    return cell.train.epochs * cell.count.size if cell.train else 0


_QUANTITIES: dict[str, Measure] = {"updates": updates, "examples": examples}


def confounds(cells: Sequence[Cell]) -> list[Confound]:
    """For each factor with several levels, the planned quantities whose mean differs between them."""
    trained = [cell for cell in cells if not cell.is_base]
    found = []
    for factor in ("category", "count", "length", "style"):
        for quantity, measure in _QUANTITIES.items():
            by_level: dict[str, list[float]] = {}
            for cell in trained:
                by_level.setdefault(str(cell.factors()[factor]), []).append(measure(cell))
            means = {level: mean(values) for level, values in by_level.items()}
            if len(set(means.values())) > 1:
                found.append(Confound(factor, quantity, means))
    return found
