"""How much disk the missing cells will take, and what can be given back when they are graded."""

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
    """Bytes. `weights` of all cells still to be trained, `checkpoints` at most while `running` cells train at once.

    No more than `weights_at_once` are there at a time, unless cells share them, where `keep` is not weights: adapters that stay,
    and what goes once it is graded. `unknown` names the models whose size nobody has said; they are not in the sums.
    """

    keep: Keep
    weights: int
    weights_at_once: int
    checkpoints: int
    running: int
    free: int
    unknown: tuple[str, ...]

    @property
    def is_short(self) -> bool:
        """True when the disk is too small for the sum, so that weights have to go meanwhile."""
        weights = self.weights if self.keep == "weights" else self.weights_at_once
        return weights + self.checkpoints > self.free


def disk_needs(untrained: Sequence[Cell], running: int, outputs: Path, keep: Keep = "weights") -> DiskNeeds:
    """What training these cells will write. Completions and tables are small beside it."""
    sizes = {(cell.model, cell.train): _written(cell.model, cell.train) for cell in untrained if cell.train}
    of_cells = [(cell.train, size) for cell in untrained if cell.train and (size := sizes[cell.model, cell.train])]
    staying = [size.weights for recipe, size in of_cells if keep == "adapter" and recipe.leaves_adapter]
    going = [size.weights for recipe, size in of_cells if not (keep == "adapter" and recipe.leaves_adapter)]
    free = shutil.disk_usage(next(path for path in (outputs, *outputs.absolute().parents) if path.is_dir())).free
    return DiskNeeds(
        keep=keep,
        weights=sum(size.weights for _, size in of_cells),
        weights_at_once=sum(staying) + _largest(going, running),
        checkpoints=_CHECKPOINTS * _largest([size.checkpoint for _, size in of_cells], running),
        running=min(running, len(untrained)),
        free=free,
        unknown=tuple(sorted({model.name for (model, _), size in sizes.items() if size is None})),
    )


@dataclass(frozen=True)
class _Written:
    """Bytes of what one training publishes, and of a checkpoint."""

    weights: int
    checkpoint: int


def _written(model: Model, recipe: Train) -> _Written | None:
    """An adapter is counted from the model's architecture; None where nobody has said what that takes."""
    whole = count_parameters(model)
    shape = shape_of(model) if recipe.lora else None
    trained = trained_parameters(shape, recipe.lora) if shape else whole
    published = trained if recipe.leaves_adapter else whole
    if published is None or trained is None or (recipe.leaves_adapter and shape is None):
        return None
    return _Written(_BYTES * published, _CHECKPOINT_BYTES * trained)


def _largest(sizes: Sequence[int], count: int) -> int:
    return sum(sorted(sizes, reverse=True)[:count])
