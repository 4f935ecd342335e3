"""Which cells are new, done or to be resumed, and which stages of work are missing; the store is looked at, nothing is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.specs.cell import Cell
from ablation.store.leftovers import workbenches
from ablation.store.store import Store

# Stages whose result is a cell's own; a pool or a selection is there for many, and made in a moment.
_OWN = ("train", "sample")


@dataclass(frozen=True)
class WorkCounts:
    """Counts of cells (`done` + `resume` + `new` = `cells`) and the stages still to be done, shared work counted once."""

    cells: int
    done: int
    resume: int
    new: int
    to_do: dict[str, int]


@dataclass(frozen=True)
class Progress:
    """The cells that are not complete, those of them that have no weights yet, and all that have been sampled."""

    work: WorkCounts
    missing: tuple[Cell, ...]
    untrained: tuple[Cell, ...]
    sampled: tuple[Cell, ...]


def read_progress(cells: Sequence[Cell], store: Store) -> Progress:
    """Where the cells stand in the store. Of cells that share their weights, one is among the `untrained`."""
    begun = {bench.stage_folder for bench in workbenches(store) if bench.has_kept}
    stages: dict[str, tuple[str, bool]] = {}
    missing: list[Cell] = []
    sampled: list[Cell] = []
    untrained: dict[str, Cell] = {}
    resume = 0
    for cell in cells:
        found = cell.folders
        for stage, folder in found.items():
            if folder not in stages:
                stages[folder] = stage, store.is_complete(folder)
        if stages[found["sample"]][1]:  # the first block of attempts tells the pace of the others
            sampled.append(cell)
        if stages[found["grade"]][1]:
            continue
        missing.append(cell)
        own = [folder for stage, folder in found.items() if stage.partition("+")[0] in _OWN]
        resume += any(stages[folder][1] or folder in begun for folder in own)
        if "train" in found and not stages[found["train"]][1]:
            untrained.setdefault(found["train"], cell)
    absent = [stage for stage, is_there in stages.values() if not is_there]
    # In the order in which they run; a base model, which skips some, may stand first.
    longest = max((list(cell.folders) for cell in cells), key=len, default=[])
    to_do = {stage: absent.count(stage) for stage in dict.fromkeys([*longest, *absent]) if stage in absent}
    done = len(cells) - len(missing)
    work = WorkCounts(len(cells), done, resume, len(missing) - resume, to_do)
    return Progress(work, tuple(missing), tuple(untrained.values()), tuple(sampled))
