"""Whether a base model that lies in a folder can answer at all, found before anything runs: no weights are read."""

from collections.abc import Iterator

from ablation.errors import DataError
from ablation.science import Model
from ablation.source import local_path
from ablation.tokenizer import load_tokenizer

_WEIGHTS = ("*.safetensors", "*.gguf")
_ADAPTER = "adapter_config.json"  # transformers loads what it names on top of the weights beside it


def unusable(model: Model) -> Iterator[str]:
    """What is wrong with the folder, as sentences: no tokenizer with chat template, no weights, an adapter beside them.

    Nothing is said of models on the hub.
    """
    folder = local_path(model.source)
    if folder is None:
        return
    try:
        load_tokenizer(model)
    except DataError as error:
        yield str(error)
    if (folder / _ADAPTER).is_file():
        yield (
            f"model {model.name}: {folder} holds an adapter ({_ADAPTER}), which would be laid over the weights unsaid, "
            "and may be a pickle; merge it into them, or move its files away"
        )
    if folder.is_dir() and not any(found for pattern in _WEIGHTS for found in folder.glob(pattern)):
        pickled = ", ".join(sorted(path.name for path in folder.glob("*.bin")))
        said = f"; {pickled} could run code when it is read, so it is not: save it as safetensors" if pickled else ""
        yield f"model {model.name}: {folder} has no weights (*.safetensors){said}; give a model.source.path that has"
