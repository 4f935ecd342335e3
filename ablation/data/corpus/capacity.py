"""Can a corpus fill the cells of a sweep? Looked at once for all counts, seeds and recipes that draw from the same."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from ablation.data.corpus.select import UsableRows, find_candidates, mean_tokens, shortage_of, untrainable
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell


@dataclass(frozen=True)
class Fill:
    """`lengths`: the mean tokens of what a cell draws from. `problems`: why cells cannot be filled, with how many there are."""

    lengths: dict[Cell, float]
    problems: tuple[str, ...]


def check_fill(given: UsableRows, cells: Sequence[Cell]) -> Fill:
    """Hold cells against what they all draw from."""
    lengths: dict[Cell, float] = {}
    problems: list[str] = []
    for alike in _grouped(cells, lambda cell: (cell.category, cell.length, cell.style)):
        try:
            found = find_candidates(given, alike[0])
        except ConfigProblems as error:
            problems += error.problems
            continue
        if told := untrainable(found, alike[0]):
            problems.append(told)
        lengths |= dict.fromkeys(alike, mean_tokens(found))
        counts = {cell.count: cell for cell in alike}
        problems += [told for cell in counts.values() if (told := shortage_of(found, len(given.kept), cell))]
    return Fill(lengths, tuple(problems))


def cells_by_source(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells that train, those together that draw from the same rows of the same corpus."""
    return _grouped([cell for cell in cells if not cell.is_base], _source)


def _source(cell: Cell) -> tuple[Hashable, ...]:
    near = cell.category.near if cell.category else None
    kinds = cell.category.problem_types if cell.category and near else None
    return cell.corpus, cell.model.source, cell.train and cell.train.block_tokens, near, kinds


def _grouped(cells: Sequence[Cell], by: Callable[[Cell], Hashable]) -> list[list[Cell]]:
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(by(cell), []).append(cell)
    return list(groups.values())
