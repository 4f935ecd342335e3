"""What is known of a model before it is loaded: where it lies, how many parameters it has, its architecture."""

import json
from math import prod
from pathlib import Path

from ablation.data.source import local_path
from ablation.errors import DataError
from ablation.specs import Model, ModelShape

_HEADER_LIMIT = 100_000_000
_KINDS_WITH_BIAS = ("qwen2",)


def count_parameters(model: Model) -> int | None:
    """How many parameters a model has: counted where its weights are on this machine, else as its configuration says."""
    folder = model_folder(model)
    files = sorted(folder.glob("*.safetensors")) if folder else []
    return sum(map(_tensors, files)) if files else model.parameters


def model_folder(model: Model) -> Path | None:
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


def shape_of(model: Model) -> ModelShape | None:
    """From the config.json of a model that is on this machine, else as its configuration says."""
    folder = model_folder(model)
    path = folder / "config.json" if folder else None
    if path is None or not path.is_file():
        return model.shape
    told = json.loads(path.read_text(encoding="utf-8"))
    try:
        heads = told["num_attention_heads"]
        size = told.get("head_dim") or told["hidden_size"] // heads
        return ModelShape(
            layers=told["num_hidden_layers"],
            hidden=told["hidden_size"],
            intermediate=told["intermediate_size"],
            heads=heads,
            keys=told.get("num_key_value_heads", heads) * size,
            vocabulary=told["vocab_size"],
            tied=told.get("tie_word_embeddings", False),
            biased=told.get("model_type") in _KINDS_WITH_BIAS or bool(told.get("attention_bias")),
        )
    except (KeyError, TypeError, ValueError):  # another kind of model: nothing can be said of it
        return model.shape
