"""Whether a recipe fits its model, found on the login node from the model's configuration: no weights are read."""

from collections.abc import Iterator

from ablation.config.cluster import RuntimeOptions
from ablation.data.tokenizer import model_location
from ablation.specs import Model, Train


def process_problems(recipe: Train, means: RuntimeOptions, processes: int) -> Iterator[str]:
    """What so many processes cannot do for a recipe by these means, as sentences."""
    degree = means.sequence_parallel
    if problem := recipe.indivisible(means.micro_batch, processes, degree):
        yield problem
    if means.offload and not means.zero:
        yield "cluster.offload: given true with cluster.zero=0, which shares nothing; set cluster.zero=2 or 3, or leave it out"
    if degree == 1:
        return
    given = f"cluster.sequence_parallel: given {degree}"
    if not means.zero:
        yield f"{given} with cluster.zero=0; it is DeepSpeed's: set cluster.zero=2 or 3"
    if recipe.packing:
        yield (
            f"{given} with train.packing=true: over shared tokens attention cannot tell the examples of a row apart; set "
            "train.packing=false: a row holds one example then, and no padding"
        )
    if means.micro_batch not in (None, 1):
        yield f"cluster.micro_batch: given {means.micro_batch}; allowed with cluster.sequence_parallel={degree}: 1 or null"


def model_problems(model: Model, recipe: Train, degree: int = 1) -> Iterator[str]:
    """What of the recipe the model cannot do, as sentences; nothing when the model's configuration is not to be had here.

    `degree` processes are to share the tokens of an example, and in attention the model's heads.
    """
    from transformers import AutoConfig

    place, revision = model_location(model)
    try:
        config = AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError):  # what is wrong with the place is said when its tokenizer is loaded
        return
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and recipe.block_tokens > positions:
        yield (
            f"train.block_tokens: given {recipe.block_tokens}; allowed: up to the {positions} positions of model {model.name}"
        )
    heads = getattr(config, "num_attention_heads", 1)
    fitting = [
        size for size in range(1, heads + 1) if _are_dealt(size, heads, getattr(config, "num_key_value_heads", heads))
    ]
    if degree not in fitting:
        yield f"cluster.sequence_parallel: given {degree}; allowed: what divides the heads of model {model.name}: {fitting}"
    if recipe.lora and recipe.lora.targets != "all-linear":
        yield from _targets(model, recipe.lora.targets, config)


def _are_dealt(degree: int, heads: int, keys: int) -> bool:
    return heads % degree == 0 and (keys % degree == 0 or degree % keys == 0)


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
