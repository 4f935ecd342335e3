"""Dropping of weights that no cell needs any more.

The stage's folder stays, with its records. Its seal names the dropped files before the first of them is removed.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablation.config.execution import Keep
from ablation.errors import RecordError
from ablation.specs import Train
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import StageName
from ablation.store.files import bytes_below, flush, write_text_atomically
from ablation.store.records import WEIGHTS_FOLDER
from ablation.store.store import SEAL, Store
from ablation.study.plan import load_plan


@dataclass(frozen=True)
class DroppableWeights:
    """The weights of one training that no cell of any study waits for."""

    stage: Path
    """The folder of the training."""
    size: int
    """In bytes."""

    @property
    def path(self) -> Path:
        """The folder of the weights, which would go."""
        return self.stage / WEIGHTS_FOLDER


def droppable_weights(
    cells: Sequence[Cell], store: Store, outputs: Path, keep: Keep = "none"
) -> list[DroppableWeights]:
    """Return the weights of graded cells among `cells` that `keep` does not keep.

    Weights that another cell still needs, in any study of these outputs, are not among them. Raises RecordError when one of these
    studies cannot be read.
    """
    graded = store.complete_folders(StageName.GRADE)
    # Cells with one training share its weights: each of them must be graded, whichever study it belongs to.
    waiting = {
        cell.folders[StageName.TRAIN]
        for cell in (*cells, *_cells_of_all(outputs))
        if cell.train and cell.folders[StageName.GRADE] not in graded
    }
    trained = dict.fromkeys(
        cell.folders[StageName.TRAIN] for cell in cells if cell.train and not _stays(cell.train, keep)
    )
    stages = [store.root / folder for folder in trained if folder not in waiting]
    return [
        DroppableWeights(path, bytes_below(path / WEIGHTS_FOLDER))
        for path in stages
        if (path / WEIGHTS_FOLDER).is_dir()
    ]


def _stays(recipe: Train, keep: Keep) -> bool:
    return keep == "weights" or (keep == "adapter" and recipe.leaves_adapter)


def drop_weights(weights: DroppableWeights) -> None:
    """Name the files in the seal, then remove them. Done again after a crash it finishes the work; two may do it at once."""
    seal = json.loads((weights.stage / SEAL).read_text(encoding="utf-8"))
    seal["dropped"] = sorted(name for name in seal["files"] if name.startswith(f"{WEIGHTS_FOLDER}/"))
    write_text_atomically(weights.stage / SEAL, json.dumps(seal, indent=1, sort_keys=True))
    flush(weights.stage)
    with suppress(FileNotFoundError):
        shutil.rmtree(weights.path)


def explain_dropped_weights(cell: Cell, store: Store) -> str | None:
    """Return one sentence when a cell cannot be evaluated: its weights were dropped and completions are missing. Else None."""
    folders = cell.folders
    if StageName.TRAIN not in folders or all(store.is_complete(folders[block]) for block in cell.blocks):
        return None
    stage = store.root / folders[StageName.TRAIN]
    if not store.is_complete(folders[StageName.TRAIN]) or (stage / WEIGHTS_FOLDER).is_dir():
        return None
    return (
        f"{cell.name}: its weights were dropped after an earlier evaluation (`ablation clean --weights`, or `keep`); "
        f"to train them again, move {stage} away"
    )


def _cells_of_all(outputs: Path) -> Iterable[Cell]:
    """Yield the cells of every study. Raises RecordError when one cannot be read: it may wait for any weights."""
    for path in sorted(outputs.glob("*/plan.json")):
        try:
            yield from load_plan(path.parent).cells
        except RecordError as error:
            raise RecordError(f"no weights are dropped while a study cannot be read: {error}") from error
