"""A model folder made of a GGUF file: weights unpacked to float32, tokenizer and chat template. No hub is asked."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.data.source import absolute_path
from ablation.errors import DataError
from ablation.libraries import without_module
from ablation.store.files import partial_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def unpack_gguf(gguf: str, folder: Path) -> None:
    """Write the folder beside, then rename it into place. Raises DataError."""
    file = absolute_path(gguf)
    if not file.is_file():
        raise DataError(f"model.gguf: {file} is no file; give the path of a .gguf file")
    model, tokenizer = _read(file)
    with partial_folder(folder) as beside:
        with without_module("deepspeed"):  # accelerate would import it, which prints a line: `--json` must stay JSON
            model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        try:
            beside.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise


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
