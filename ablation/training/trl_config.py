"""A recipe as the arguments of TRL, PEFT and transformers."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from ablation.config.cluster import Activations
from ablation.data.tokenizer import model_location
from ablation.errors import ConfigProblems
from ablation.specs import Lora, Model, Train
from ablation.training.batches import MicroBatchPlan
from ablation.training.distributed import backend
from ablation.training.sequence_parallel import parallelism
from ablation.training.trl_imports import SFTConfig
from ablation.training.zero import NO_SHARDING, Sharding


def sft_config(
    recipe: Train,
    seed: int,
    folder: Path,
    plan: MicroBatchPlan,
    sharding: Sharding = NO_SHARDING,
    activations: Activations = "auto",
) -> SFTConfig:
    """Return TRL's arguments for a recipe whose updates go through the model by `plan`; checkpoints go below `folder`.

    The sampler decides which examples a step takes; the trainer's own batch size is not used. The trainer saves when it is asked
    to, not by a schedule. Raises ConfigProblems.
    """
    on_gpu = torch.cuda.is_available()
    if activations == "offload" and not on_gpu:
        raise ConfigProblems(
            [
                "cluster.activations: given offload, which moves activations from a GPU to the host, and this process has no "
                "GPU; allowed here: auto, keep, recompute"
            ]
        )
    return SFTConfig(
        output_dir=str(folder),
        gradient_accumulation_steps=plan.steps_per_update,
        max_steps=plan.updates.count,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        max_grad_norm=recipe.max_grad_norm,
        max_length=recipe.block_tokens,
        bf16=recipe.precision == "bf16" and not sharding.stage,
        deepspeed=sharding.config(recipe),
        use_cpu=not on_gpu,
        gradient_checkpointing=on_gpu if activations == "auto" else activations != "keep",
        activation_offloading=activations == "offload",
        parallelism_config=parallelism(sharding.degree, plan.processes),
        per_device_train_batch_size=1
        if sharding.degree > 1
        else 8,  # for what the trainer reports: the sampler decides
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would write 0 for a loss that is not a number, and go on
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        ddp_backend=backend() if plan.processes > 1 else None,
        ddp_find_unused_parameters=False,
    )


def load_model(model: Model) -> PreTrainedModel:
    """Return the base model with float32 weights. AdamW at small learning rates would round most updates of bf16 weights away.

    ``train.precision=bf16`` is the autocast of the forward pass over these masters. Raises OSError where there is no safetensors.
    """
    place, revision = model_location(model)
    loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        place,
        revision=revision,
        dtype=torch.float32,
        trust_remote_code=model.trust_remote_code,
        use_safetensors=True,  # the older format is a pickle, which may run code
    )
    return loaded


def with_adapter(model: Model, lora: Lora, weights: Mapping[str, Any]) -> PeftModel:
    """Return the base model, loaded anew, with the adapter of a trained one; `weights` are that one's, by name."""
    fresh = get_peft_model(load_model(model), lora_config(lora))
    set_peft_model_state_dict(fresh, get_peft_model_state_dict(fresh, state_dict=dict(weights)))
    return fresh


def save_adapter(trained: PeftModel, weights: Mapping[str, Any] | None, model: Model, folder: Path) -> None:
    """Write a trained model's adapter in PEFT's format, the same bytes on every machine.

    `weights` are all of the model's by name where it was split among processes, else None.
    """
    tensors = get_peft_model_state_dict(trained, state_dict=weights and dict(weights), save_embedding_layers=False)
    folder.mkdir()
    save_file(
        {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, folder / "adapter_model.safetensors"
    )
    config: Any = copy.copy(trained.peft_config["default"])
    config.target_modules = (
        sorted(config.target_modules) if isinstance(config.target_modules, set) else config.target_modules
    )
    # Not the folder in which it lay: sampling takes the base model from the cell.
    config.base_model_name_or_path, config.revision = model.source.hub or model.name, model.source.revision
    config.inference_mode = True
    config.save_pretrained(str(folder))


def lora_config(lora: Lora) -> LoraConfig:
    """Return the adapter as PEFT's configuration."""
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )
