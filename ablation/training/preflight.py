"""Whether a recipe fits its model, found on the login node from the model's configuration: no weights are read."""

from collections.abc import Iterator

from ablation.science import Model, Train
from ablation.tokenizer import model_place


def misfits(model: Model, recipe: Train) -> Iterator[str]:
    """What of the recipe the model cannot do, as sentences; nothing when the model's configuration is not to be had here."""
    from transformers import AutoConfig

    place, revision = model_place(model)
    try:
        config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError):  # what is wrong with the place is said when its tokenizer is loaded
        return
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and recipe.block_tokens > positions:
        yield (
            f"train.block_tokens: given {recipe.block_tokens}; allowed: up to the {positions} positions of model {model.name}"
        )
    if recipe.lora and recipe.lora.targets != "all-linear":
        yield from _targets(model, recipe.lora.targets, config)


def _targets(model: Model, targets: str | tuple[str, ...], config: object) -> Iterator[str]:
    """Names that match no matrix. PEFT's rule: a list names the ends of module paths, a string is a pattern for whole ones."""
    import re

    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    paths = [name for name, module in empty.named_modules() if isinstance(module, torch.nn.Linear)]
    if isinstance(targets, str):
        missing = [] if any(re.fullmatch(targets, path) for path in paths) else [targets]
    else:
        missing = [target for target in targets if not any(f".{path}".endswith(f".{target}") for path in paths)]
    if missing:
        ends = sorted({path.rpartition(".")[2] for path in paths})
        yield f"train.lora.targets: given {missing}, which match nothing in model {model.name}; it has {', '.join(ends)}"
