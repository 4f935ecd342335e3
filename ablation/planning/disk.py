"""How much disk the missing cells will take, and what can be given back when they are graded."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ablation.cell import Cell
from ablation.errors import DataError
from ablation.science import Model
from ablation.source import local_path

# Weights are trained and written as float32.
_BYTES = 4
# A checkpoint holds weights and the two moments of AdamW; two are kept, so that a damaged one costs an interval.
_CHECKPOINT_BYTES = 3 * _BYTES
_CHECKPOINTS = 2
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True)
class Disk:
    """Bytes. `weights` of all cells still to be trained, `checkpoints` at most while `running` cells train at once.

    With `keep` none, no more than `weights_at_once` are there at a time, unless cells share them. `unknown` names the models
    whose size nobody has said; they are not in the sums.
    """

    keep: str
    weights: int
    weights_at_once: int
    checkpoints: int
    running: int
    free: int
    unknown: tuple[str, ...]

    @property
    def is_short(self) -> bool:
        """True when the disk is too small for the sum, so that weights have to go meanwhile."""
        weights = self.weights_at_once if self.keep == "none" else self.weights
        return weights + self.checkpoints > self.free


def disk(untrained: Sequence[Cell], running: int, outputs: Path, keep: str = "weights") -> Disk:
    """What training these cells will write. Completions and tables are small beside it."""
    sizes = {cell.model: parameters(cell.model) for cell in untrained}
    known = [size for cell in untrained if (size := sizes[cell.model])]
    at_once = sorted(known, reverse=True)[:running]
    free = shutil.disk_usage(next(path for path in (outputs, *outputs.absolute().parents) if path.is_dir())).free
    return Disk(
        keep=keep,
        weights=_BYTES * sum(known),
        weights_at_once=_BYTES * sum(at_once),
        checkpoints=_CHECKPOINTS * _CHECKPOINT_BYTES * sum(at_once),
        running=min(running, len(untrained)),
        free=free,
        unknown=tuple(sorted({model.name for model, size in sizes.items() if size is None})),
    )


def parameters(model: Model) -> int | None:
    """How many parameters a model has: counted where its weights are on this machine, else as its configuration says."""
    folder = folder_of(model)
    files = sorted(folder.glob("*.safetensors")) if folder else []
    return sum(map(_tensors, files)) if files else model.parameters


def folder_of(model: Model) -> Path | None:
    """Where a model lies on this machine, in a folder of its own or in the shared cache; None where it does not."""
    try:
        folder = local_path(model.source)
    except DataError:
        folder = None
    return folder or _cached(model)


def _cached(model: Model) -> Path | None:
    """The snapshot of a hub model in the shared cache, when it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(model.source.hub), revision=model.source.revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None


def _tensors(file: Path) -> int:
    """The sum of the sizes of all tensors, by the header: eight bytes of length, then JSON."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _HEADER_LIMIT:
            return 0
        header = json.loads(stream.read(length))
    return sum(prod(told["shape"]) for name, told in header.items() if name != "__metadata__")
