"""An adapter (LoRA) in PEFT's format, which answers beside the base model's weights instead of having been added to them."""

import json
from pathlib import Path

from ablation.errors import RecordError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def holds_adapter(weights: Path) -> bool:
    """True for a folder with an adapter; else it holds a model. Raises RecordError where the adapter's weights are missing."""
    if not (weights / CONFIG).is_file():
        return False
    if not (weights / WEIGHTS).is_file():
        raise RecordError(f"{weights} has {CONFIG} and no {WEIGHTS}; move {weights.parent} away and train again")
    return True


def adapter_rank(adapter: Path) -> int:
    """The rank of an adapter's matrices, the largest where modules differ. Raises RecordError."""
    try:
        told = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
        return max(int(told["r"]), *(int(one) for one in (told.get("rank_pattern") or {}).values()), 1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{adapter / CONFIG} is damaged ({error}); move {adapter.parent} away and train again"
        ) from error
