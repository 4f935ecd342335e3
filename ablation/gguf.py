"""A model folder made of a GGUF file: weights unpacked to float32, tokenizer and chat template. No hub is asked."""

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.errors import DataError
from ablation.science import Model
from ablation.source import place_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def folder_is_missing(model: Model) -> bool:
    """Whether the folder is yet to be made."""
    return model.gguf is not None and not place_of(str(model.source.path)).exists()


def make_folder(model: Model) -> Path:
    """Where the folder is, which is made when it is missing: written beside, then renamed. Raises DataError."""
    folder = place_of(str(model.source.path))
    if not folder_is_missing(model):
        return folder
    file = place_of(str(model.gguf))
    if not file.is_file():
        raise DataError(f"model.gguf: {file} is no file; give the path of a .gguf file")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        for part in _read(file):
            part.save_pretrained(beside)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _read(file: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The model in float32 and its tokenizer. A quantised weight becomes the number it stands for: what was lost stays lost."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **place)
        unpacked = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, dtype=torch.float32, quantization_config=unpacked, **place
        )
    except (ImportError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"model.gguf: {file} cannot be read ({reason}); reading it needs: pip install gguf") from error
    return model, tokenizer
