"""The disk that the missing cells will take, and what can be given back once they are graded."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.execution import Keep
from ablation.planning.memory import trained_parameters
from ablation.planning.models import count_parameters, shape_of
from ablation.specs import Model, Train
from ablation.specs.cell import Cell

# Weights are trained and written as float32.
_BYTES = 4
# A checkpoint holds what is trained and the two moments of AdamW; two are kept, so that a damaged one costs an interval.
_CHECKPOINT_BYTES = 3 * _BYTES
_CHECKPOINTS = 2


@dataclass(frozen=True)
class DiskNeeds:
    """The bytes that training will write."""

    keep: Keep
    """What of the weights stays once a cell is graded."""
    weights: int
    """The weights of all cells still to be trained."""
    weights_at_once: int
    """The most of them that are there at a time: adapters that stay, and what goes once it is graded. Unless cells share them."""
    checkpoints: int
    """The most that checkpoints take, while `running` cells train at once."""
    running: int
    free: int
    unknown: tuple[str, ...]
    """The models whose size is not known; they are in no sum."""

    @property
    def is_short(self) -> bool:
        """True when the disk is too small for the sum, so that weights have to go meanwhile."""
        weights = self.weights if self.keep == "weights" else self.weights_at_once
        return weights + self.checkpoints > self.free


@dataclass(frozen=True)
class _Written:
    """The bytes that one training writes."""

    weights: int
    checkpoint: int


def disk_needs(untrained: Sequence[Cell], running: int, outputs: Path, keep: Keep = "weights") -> DiskNeeds:
    """Return what training these cells will write, `running` at once. Completions and tables are small beside it."""
    sizes = {(cell.model, cell.train): _written(cell.model, cell.train) for cell in untrained if cell.train}
    trainings = [(cell.train, size) for cell in untrained if cell.train and (size := sizes[cell.model, cell.train])]
    staying: list[int] = []
    going: list[int] = []
    for recipe, size in trainings:
        # With keep=adapter a small adapter stays, and whole weights go as soon as their cell is graded.
        stays = keep == "adapter" and recipe.leaves_adapter
        (staying if stays else going).append(size.weights)
    return DiskNeeds(
        keep=keep,
        weights=sum(size.weights for _, size in trainings),
        weights_at_once=sum(staying) + _largest_sum(going, running),
        checkpoints=_CHECKPOINTS * _largest_sum([size.checkpoint for _, size in trainings], running),
        running=min(running, len(untrained)),
        free=_free_bytes(outputs),
        unknown=tuple(sorted({model.name for (model, _), size in sizes.items() if size is None})),
    )


def _free_bytes(folder: Path) -> int:
    """Return the room on the disk of a folder that need not exist yet."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(existing).free


def _written(model: Model, recipe: Train) -> _Written | None:
    """Return what one training writes; None where the size of the model is not known.

    An adapter is counted from the model's architecture.
    """
    whole = count_parameters(model)
    shape = shape_of(model) if recipe.lora else None
    trained = trained_parameters(shape, recipe.lora) if shape else whole
    published = trained if recipe.leaves_adapter else whole
    if published is None or trained is None or (recipe.leaves_adapter and shape is None):
        return None
    return _Written(_BYTES * published, _CHECKPOINT_BYTES * trained)


def _largest_sum(sizes: Sequence[int], count: int) -> int:
    return sum(sorted(sizes, reverse=True)[:count])
