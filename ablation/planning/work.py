"""The work of a sweep that is left to do. The store is looked at, and nothing is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.specs.cell import Cell
from ablation.specs.vocabulary import StageName
from ablation.store.leftovers import workbenches
from ablation.store.store import Store

# Stages whose result is a cell's own; a pool or a selection is there for many, and made in a moment.
_CELL_STAGES = (StageName.TRAIN, StageName.SAMPLE)


@dataclass(frozen=True)
class WorkCounts:
    """Counts of cells: `done` + `resume` + `new` = `cells`."""

    cells: int
    done: int
    resume: int
    """Cells that are not complete and go on from work that is there."""
    new: int
    to_do: dict[str, int]
    """The number of runs of each stage that are still to be done, shared work counted once."""


@dataclass(frozen=True)
class Progress:
    """The cells of a sweep by what the store holds of them."""

    work: WorkCounts
    missing: tuple[Cell, ...]
    """The cells that are not complete."""
    untrained: tuple[Cell, ...]
    """Those of them that have no weights yet. Of cells that share their weights, one is here."""
    sampled: tuple[Cell, ...]
    """The cells, complete or not, whose first block of attempts is sampled: they tell the pace of the others."""


def read_progress(cells: Sequence[Cell], store: Store) -> Progress:
    """Look up in the store how far each cell is."""
    folders: dict[str, str] = {}
    for cell in cells:
        for stage, folder in cell.folders.items():
            folders.setdefault(folder, stage)
    present = {folder for folder in folders if store.is_complete(folder)}
    begun = {bench.stage_folder for bench in workbenches(store) if bench.has_kept}
    missing = [cell for cell in cells if cell.folders[StageName.GRADE] not in present]
    resume = sum(any(folder in present or folder in begun for folder in _own_folders(cell)) for cell in missing)
    untrained: dict[str, Cell] = {}
    for cell in missing:
        # Cells that differ in evaluation alone share their weights: these are trained once.
        weights = cell.folders.get(StageName.TRAIN)
        if weights and weights not in present:
            untrained.setdefault(weights, cell)
    work = WorkCounts(
        cells=len(cells),
        done=len(cells) - len(missing),
        resume=resume,
        new=len(missing) - resume,
        to_do=_count_stages(cells, {folder: stage for folder, stage in folders.items() if folder not in present}),
    )
    sampled = tuple(cell for cell in cells if cell.folders[StageName.SAMPLE] in present)
    return Progress(work, tuple(missing), tuple(untrained.values()), sampled)


def _own_folders(cell: Cell) -> list[str]:
    """Return the folders of training and of every block of attempts; a further block is named ``sample+…``."""
    return [folder for stage, folder in cell.folders.items() if stage.partition("+")[0] in _CELL_STAGES]


def _count_stages(cells: Sequence[Cell], absent: Mapping[str, str]) -> dict[str, int]:
    """Return the number of absent folders of each stage, in the order in which stages run. `absent` maps folder to stage."""
    # A base model, which skips some stages, may stand first; so the longest list of stages gives the order.
    longest = max((list(cell.folders) for cell in cells), key=len, default=[])
    names = list(absent.values())
    return {stage: names.count(stage) for stage in dict.fromkeys([*longest, *names]) if stage in names}
