"""Facts of a model before it is loaded: its folder, its number of parameters, its architecture."""

import json
from math import prod
from pathlib import Path

from ablation.data.source import local_path
from ablation.errors import DataError
from ablation.specs import Model, ModelShape

_HEADER_LIMIT = 100_000_000
_KINDS_WITH_BIAS = ("qwen2",)


def count_parameters(model: Model) -> int | None:
    """Return the number of parameters: counted where the weights are on this machine, else as the configuration says."""
    folder = model_folder(model)
    files = sorted(folder.glob("*.safetensors")) if folder else []
    return sum(map(_count_in_file, files)) if files else model.parameters


def model_folder(model: Model) -> Path | None:
    """Return the folder of a model on this machine, its own or in the shared cache; None where it is not here."""
    try:
        folder = local_path(model.source)
    except DataError:
        folder = None
    return folder or _cached_snapshot(model)


def _cached_snapshot(model: Model) -> Path | None:
    """Return the snapshot of a hub model in the shared cache, when it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(model.source.hub), revision=model.source.revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None


def _count_in_file(file: Path) -> int:
    """Return the number of values in a safetensors file, by its header: eight bytes of length, then JSON."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        # A file that is none of this format would be read as a length of many gigabytes.
        if length > _HEADER_LIMIT:
            return 0
        header = json.loads(stream.read(length))
    return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def shape_of(model: Model) -> ModelShape | None:
    """Return the architecture by the config.json of a model on this machine, else as the configuration says."""
    folder = model_folder(model)
    path = folder / "config.json" if folder else None
    if path is None or not path.is_file():
        return model.shape
    config = json.loads(path.read_text(encoding="utf-8"))
    try:
        heads = config["num_attention_heads"]
        head_size = config.get("head_dim") or config["hidden_size"] // heads
        return ModelShape(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            heads=heads,
            keys=config.get("num_key_value_heads", heads) * head_size,
            vocabulary=config["vocab_size"],
            tied=config.get("tie_word_embeddings", False),
            biased=config.get("model_type") in _KINDS_WITH_BIAS or bool(config.get("attention_bias")),
        )
    except (KeyError, TypeError, ValueError):  # another kind of model: nothing can be said of it
        return model.shape
