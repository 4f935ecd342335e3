"""The estimate of a GPU's memory against what torch really holds, for small models of the same kinds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from ablation.config.cluster import ResourceOverride, RuntimeOptions, Slurm
from ablation.config.sweep.cells import compose_sweep
from ablation.planning.fits import memory_fits, models_without_gpu
from ablation.planning.memory import (
    GB,
    Footprint,
    activations,
    footprint,
    layer_bytes_per_token,
    parameters_of_shape,
    torch_tiles,
    trained_parameters,
)
from ablation.planning.models import shape_of
from ablation.specs import Lora, ModelShape
from ablation.specs.cell import Cell
from ablation.training.trl_config import lora_config
from benchmarks.memory import Case, tensor_bytes

SMALL = ModelShape(layers=3, hidden=128, intermediate=320, heads=4, keys=64, vocabulary=512, tied=True, biased=True)
WIDE = ModelShape(layers=4, hidden=192, intermediate=256, heads=6, keys=192, vocabulary=300, tied=False, biased=False)
TOKENS = 256


def model_of(shape: ModelShape) -> PreTrainedModel:
    told: dict[str, Any] = {
        "vocab_size": shape.vocabulary, "hidden_size": shape.hidden, "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.keys * shape.heads // shape.hidden, "tie_word_embeddings": shape.tied,
    }  # fmt: skip
    if shape.biased:
        return Qwen2ForCausalLM(Qwen2Config(**told))  # type: ignore[no-untyped-call]
    return LlamaForCausalLM(LlamaConfig(**told))  # type: ignore[no-untyped-call]


def saved_bytes(model: PreTrainedModel, precision: str) -> int:
    """What autograd keeps of a forward pass without the head, weights not counted."""
    held, weights = {}, {weight.data_ptr() for weight in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, or its place would be given to another
        return tensor

    ids = torch.zeros((1, TOKENS), dtype=torch.long)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
    ):
        model.model(input_ids=ids, use_cache=False)
    return sum(size for size, _ in held.values())


@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["qwen2", "llama"])
def test_parameters_are_counted_by_the_architecture(shape: ModelShape) -> None:
    model = model_of(shape)
    assert sum(weight.numel() for weight in model.parameters()) == parameters_of_shape(shape)
    for targets in ("all-linear", ("q_proj", "down_proj")):
        lora = Lora(rank=4, alpha=8, dropout=0.0, targets=targets)
        adapted = get_peft_model(model_of(shape), lora_config(lora))
        assert sum(one.numel() for one in adapted.parameters() if one.requires_grad) == trained_parameters(shape, lora)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["qwen2", "llama"])
def test_a_layer_keeps_what_autograd_saves_of_it(shape: ModelShape, precision: str) -> None:
    deeper = shape.model_copy(update={"layers": shape.layers + 2})
    seen = (saved_bytes(model_of(deeper), precision) - saved_bytes(model_of(shape), precision)) / 2
    casts = 2 * sum(one.numel() for one in model_of(shape).model.layers[0].parameters() if one.ndim > 1)
    expected = TOKENS * layer_bytes_per_token(shape, precision) + (casts if precision == "bf16" else 0)
    assert seen == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["qwen2", "llama"])
def test_recomputed_layers_keep_their_input_alone(shape: ModelShape) -> None:
    def saved(layers: int) -> int:
        model = model_of(shape.model_copy(update={"layers": layers}))
        model.train()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        return saved_bytes(model, "float32")

    kept, _ = activations(shape.model_copy(update={"layers": 2}), TOKENS, "float32")
    assert saved(4) - saved(2) == kept


def test_weights_gradients_and_moments_are_what_an_update_leaves_in_memory(cell_of: Callable[..., Cell]) -> None:
    recipe = cell_of("count.size=8").train
    assert recipe
    model = model_of(SMALL)
    optimizer = torch.optim.AdamW(model.parameters())
    model(input_ids=torch.zeros((1, 8), dtype=torch.long), labels=torch.ones((1, 8), dtype=torch.long)).loss.backward()
    optimizer.step()
    told = footprint(SMALL, recipe, RuntimeOptions(), processes=1)
    assert told.weights == sum(one.nbytes for one in model.parameters())
    assert told.gradients == sum(one.grad.nbytes for one in model.parameters() if one.grad is not None)
    moments = [state[name].nbytes for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert told.optimizer == sum(moments)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_the_estimate_is_the_peak_of_the_trainers_tensors(cell_of: Callable[..., Cell], lora: bool) -> None:
    """Of the whole update, by torch's profiler; a CPU has the tiles of TRL's loss besides."""
    recipe = cell_of("count.size=8").train
    assert recipe
    shape = SMALL.model_copy(update={"vocabulary": 4096})  # so many that the loss is the peak, as with real models
    case = Case("small", shape, 512, "recompute", lora)
    told = footprint(shape, case.recipe(recipe), case.runtime, processes=1)
    assert tensor_bytes(case, recipe) == pytest.approx(told.total + torch_tiles(shape, 512), rel=0.08)


def test_zero_shares_the_states_and_stage_three_the_weights(cell_of: Callable[..., Cell]) -> None:
    recipe = cell_of("count.size=8", "train.batch=8").train
    assert recipe
    alone, two, three = (footprint(SMALL, recipe, RuntimeOptions(zero=zero), processes=4) for zero in (0, 2, 3))
    assert (two.optimizer, two.gradients, two.weights) == (alone.optimizer / 4, alone.gradients / 4, alone.weights)
    assert three.weights < two.weights
    assert footprint(SMALL, recipe, RuntimeOptions(zero=3, offload=True), processes=4).optimizer == 0


def test_a_process_that_holds_a_slice_or_hands_its_inputs_to_the_host_needs_less(cell_of: Callable[..., Cell]) -> None:
    recipe = cell_of("count.size=8", "train.batch=8", "train.block_tokens=4096").train
    assert recipe
    deep = SMALL.model_copy(update={"layers": 24})

    def needs(**options: Any) -> Footprint:
        return footprint(deep, recipe, RuntimeOptions(micro_batch=1, zero=3, **options), processes=8)

    plain, sliced, handed, kept = (
        needs(), needs(sequence_parallel=4), needs(activations="offload"), needs(activations="keep")
    )  # fmt: skip
    assert handed.activations < plain.activations < kept.activations
    assert sliced.activations < plain.activations / 2
    inputs = 24 * 4096 * deep.hidden * 4
    assert handed.host == inputs and plain.host == 0
    assert plain.activations - handed.activations == inputs * 18 / 24  # six are on their way


def test_the_remedy_names_what_makes_it_fit() -> None:
    large = compose_sweep(["sweep=single", "scale=paper", "count=n100"]).cells[0]
    told: dict[str, Any] = {"kind": "slurm", "gpus_per_node": 8, "tasks_per_node": 8, "zero": 3, "micro_batch": 1}
    [found] = memory_fits([large], Slurm(**told))
    assert found.remedy == "16 GPUs with cluster.micro_batch=1, cluster.zero=3, cluster.activations=offload"
    [found] = memory_fits([large], Slurm(**told, nodes=2, activations="offload"))
    assert found.fits and found.footprint.host > 40 * GB


def test_the_shape_is_read_from_the_model_itself(cell_of: Callable[..., Cell]) -> None:
    shape = shape_of(cell_of("count.size=8").model)
    assert shape
    assert parameters_of_shape(shape) == 433_408


def test_a_large_model_without_a_gpu_is_told_before_the_queue(cell_of: Callable[..., Cell]) -> None:
    small, large = cell_of("count.size=8"), compose_sweep(["sweep=single", "scale=paper"]).cells[0]
    name = large.model.name
    assert models_without_gpu([small], Slurm(kind="slurm")) == []
    [told] = models_without_gpu([small, large, large], Slurm(kind="slurm"))
    assert told.startswith(
        f"{name}: 32.8 billion weights, and its jobs (cell) ask for no GPU; give cluster.gpus_per_node"
    )
    assert models_without_gpu([large], Slurm(kind="slurm", gpus_per_node=8)) == []
    [told] = models_without_gpu(
        [large], Slurm(kind="slurm", split=True, resources=(ResourceOverride(stage="train", gpus_per_node=8),))
    )
    assert "its jobs (evaluate) ask" in told
