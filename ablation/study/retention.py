"""Which weights may go once their cells are graded, and how a stage's folder says that they went.

The folder stays, with its records: its seal names the files that were dropped, before the first of them is removed.
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
    """The weights of one training, `size` bytes, which no cell of any study waits for."""

    stage: Path
    size: int

    @property
    def path(self) -> Path:
        """The folder that would go."""
        return self.stage / WEIGHTS_FOLDER


def droppable_weights(
    cells: Sequence[Cell], store: Store, outputs: Path, keep: Keep = "none"
) -> list[DroppableWeights]:
    """The weights of these cells that are graded and that `keep` does not name, except where another cell, in any study of these
    outputs, still needs them.
    """
    graded = store.complete_folders(StageName.GRADE)
    waiting = {
        cell.folders["train"]
        for cell in (*cells, *_cells_of_all(outputs))
        if cell.train and cell.folders["grade"] not in graded
    }
    trained = dict.fromkeys(cell.folders["train"] for cell in cells if cell.train and not _stays(cell.train, keep))
    kept = [store.root / folder for folder in trained if folder not in waiting]
    return [
        DroppableWeights(path, bytes_below(path / WEIGHTS_FOLDER)) for path in kept if (path / WEIGHTS_FOLDER).is_dir()
    ]


def _stays(recipe: Train, keep: Keep) -> bool:
    return keep == "weights" or (keep == "adapter" and recipe.leaves_adapter)


def drop_weights(one: DroppableWeights) -> None:
    """Say in the seal which files go, then remove them. Done again after a crash it finishes the work; two may do it at once."""
    told = json.loads((one.stage / SEAL).read_text(encoding="utf-8"))
    told["dropped"] = sorted(name for name in told["files"] if name.startswith(f"{WEIGHTS_FOLDER}/"))
    write_text_atomically(one.stage / SEAL, json.dumps(told, indent=1, sort_keys=True))
    flush(one.stage)
    with suppress(FileNotFoundError):
        shutil.rmtree(one.path)


def explain_dropped_weights(cell: Cell, store: Store) -> str | None:
    """Why a cell cannot be evaluated, when its weights were dropped and no completions are there; else None."""
    found = cell.folders
    if "train" not in found or all(store.is_complete(found[block]) for block in cell.blocks):
        return None
    stage = store.root / found["train"]
    if not store.is_complete(found["train"]) or (stage / WEIGHTS_FOLDER).is_dir():
        return None
    return (
        f"{cell.name}: its weights were dropped after an earlier evaluation (`ablation clean --weights`, or `keep`); "
        f"to train them again, move {stage} away"
    )


def _cells_of_all(outputs: Path) -> Iterable[Cell]:
    """Raises RecordError when a study cannot be read: what it waits for is not known."""
    for path in sorted(outputs.glob("*/plan.json")):
        try:
            yield from load_plan(path.parent).cells
        except RecordError as error:
            raise RecordError(f"no weights are dropped while a study cannot be read: {error}") from error
