"""Checks on the login node that a recipe fits its processes and its model. No weights are read."""

from collections.abc import Iterator

from ablation.config.cluster import RuntimeOptions
from ablation.data.tokenizer import model_location
from ablation.specs import Model, Train


def process_problems(recipe: Train, options: RuntimeOptions, processes: int) -> Iterator[str]:
    """Yield a sentence for each thing that so many processes cannot do for a recipe with these options."""
    degree = options.sequence_parallel
    if problem := recipe.indivisible(options.micro_batch, processes, degree):
        yield problem
    if options.offload and not options.zero:
        yield "cluster.offload: given true with cluster.zero=0, which shares nothing; set cluster.zero=2 or 3, or leave it out"
    if degree == 1:
        return
    setting = f"cluster.sequence_parallel: given {degree}"
    if not options.zero:
        yield f"{setting} with cluster.zero=0; it is DeepSpeed's: set cluster.zero=2 or 3"
    if recipe.packing:
        yield (
            f"{setting} with train.packing=true: over shared tokens attention cannot tell the examples of a row apart; set "
            "train.packing=false: a row holds one example then, and no padding"
        )
    if options.micro_batch not in (None, 1):
        yield f"cluster.micro_batch: given {options.micro_batch}; allowed with cluster.sequence_parallel={degree}: 1 or null"


def model_problems(model: Model, recipe: Train, degree: int = 1) -> Iterator[str]:
    """Yield a sentence for each thing in the recipe that the model cannot do; none where its configuration cannot be loaded.

    `degree` processes are to share the tokens of an example, and in attention the model's heads.
    """
    from transformers import AutoConfig

    place, revision = model_location(model)
    try:
        config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError):  # loading the tokenizer of this model reports the reason
        return
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and recipe.block_tokens > positions:
        yield (
            f"train.block_tokens: given {recipe.block_tokens}; allowed: up to the {positions} positions of model {model.name}"
        )
    heads = getattr(config, "num_attention_heads", 1)
    keys = getattr(config, "num_key_value_heads", heads)
    fitting = [size for size in range(1, heads + 1) if _can_share_heads(size, heads, keys)]
    if degree not in fitting:
        yield f"cluster.sequence_parallel: given {degree}; allowed: what divides the heads of model {model.name}: {fitting}"
    if recipe.lora and recipe.lora.targets != "all-linear":
        yield from _unmatched_targets(model, recipe.lora.targets, config)


def _can_share_heads(degree: int, heads: int, keys: int) -> bool:
    """True when `degree` processes can take equally many heads each. Heads of keys may be fewer than processes: then copied."""
    return heads % degree == 0 and (keys % degree == 0 or degree % keys == 0)


def _unmatched_targets(model: Model, targets: str | tuple[str, ...], config: object) -> Iterator[str]:
    """Yield a sentence when a target matches no matrix. As in PEFT, a list has ends of module paths, a string is a pattern."""
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
