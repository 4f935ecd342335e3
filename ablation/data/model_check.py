"""Whether a base model can answer at all, found before anything runs: no weights are read."""

import json
from collections.abc import Iterator
from pathlib import Path

from ablation.data.source import local_path
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import DataError, first_line
from ablation.specs import Model

_ADAPTER = "adapter_config.json"  # transformers loads what it names on top of the weights beside it
_INDEX = "model.safetensors.index.json"


def base_model_problems(model: Model) -> Iterator[str]:
    """What is wrong with it, in sentences: no tokenizer with chat template, no config, no whole weights, an adapter beside them.

    Of a model on the hub only the tokenizer is looked at, which also shows whether the revision exists.
    """
    folder = local_path(model.source)
    if folder is not None and folder.is_dir() and not (folder / "config.json").is_file():
        yield f"model {model.name}: {folder} has no config.json, so it is no model; give a model.source.path that is"
    else:
        try:
            load_tokenizer(model)
        except DataError as error:
            yield str(error)
    if folder is not None:
        yield from (f"model {model.name}: {folder} {found}" for found in _unusable_weights(folder))


def _unusable_weights(folder: Path) -> Iterator[str]:
    if (folder / _ADAPTER).is_file():
        yield (
            f"holds an adapter ({_ADAPTER}), which would be laid over the weights unsaid, and may be a pickle; "
            "merge it into them, or move its files away"
        )
    files = sorted(folder.glob("*.safetensors"))
    if folder.is_dir() and not files:
        pickled = ", ".join(sorted(path.name for path in folder.glob("*.bin")))
        said = f"; {pickled} could run code when it is read, so it is not: save it as safetensors" if pickled else ""
        yield f"has no weights (*.safetensors){said}; give a model.source.path that has"
    if files and (folder / _INDEX).is_file():
        yield from _unusable_index(folder / _INDEX, {path.name for path in files})
    for path in files:
        if reason := _damage(path):
            yield f"has a damaged {path.name} ({reason}); copy or download it again"


def _unusable_index(index: Path, files: set[str]) -> Iterator[str]:
    try:
        named = {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"has a damaged {_INDEX} ({first_line(error)}); copy or download it again"
        return
    if lacking := sorted(named - files):
        yield f"lacks {', '.join(lacking)}, which {_INDEX} names; copy or download it again"


def _damage(path: Path) -> str | None:
    """Why its header does not fit the file, or None. The tensors are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            return None
    except (SafetensorError, OSError) as error:
        return first_line(error)
