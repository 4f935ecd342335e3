"""The ways to train long sequences in a small memory change no update: recomputed activations, a loss without its logits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Qwen2Config, Qwen2ForCausalLM

from ablation.config.cluster import Activations, RuntimeOptions
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell
from ablation.training.batches import MicroBatchPlan, PaddedBatching, Updates
from ablation.training.distributed import ProcessGroup
from ablation.training.encode import IGNORED_LABEL
from ablation.training.sequence_parallel import SlicingCollator
from ablation.training.train import train
from ablation.training.trainer import Trainer
from ablation.training.trl_config import sft_config
from tests.processes import Processes, results

# More words than a tile of the loss holds.
TOKENS, WORDS = 96, 40_000


@pytest.mark.parametrize(
    "recipe", [("train=mini",), ("train=mini_lora", "train.packing=true", "train.lora.dropout=0.2")]
)
def test_recomputed_activations_change_no_bit(processes: Callable[..., Processes], recipe: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    kinds: tuple[Activations, ...] = ("keep", "recompute")
    runs = []
    for kind in kinds:
        one = processes(kind, *recipe, "count.size=9", "train.epochs=1", "train.batch=8")
        train(one.cell, *one.chosen, one.begin(), RuntimeOptions(micro_batch=2, activations=kind))
        runs.append(results(one.last))
    (weights, curve), (others, other_curve) = runs
    assert curve == other_curve
    assert all(torch.equal(others[name], tensor) for name, tensor in weights.items())


def made(cell: Cell, folder: Path, activations: Activations = "auto") -> tuple[Any, dict[str, torch.Tensor]]:
    """A trainer of a model with many words, and a batch of two rows, the second of which is filled up."""
    assert cell.train
    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=WORDS, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1,
    )  # fmt: skip
    model = Qwen2ForCausalLM(shape)  # type: ignore[no-untyped-call]
    ids = torch.randint(3, WORDS, (2, TOKENS))
    labels, mask = ids.clone(), torch.ones_like(ids)
    labels[:, :20] = IGNORED_LABEL
    labels[1, 70:], mask[1, 70:] = IGNORED_LABEL, 0
    recipe = cell.train.model_copy(update={"precision": "float32"})
    steps = MicroBatchPlan(Updates(2, recipe.batch, 1, seed=0), PaddedBatching(1))
    rows = Dataset.from_dict({"input_ids": ids.tolist(), "labels": labels.tolist()})
    trainer = Trainer(
        steps,
        ProcessGroup(),
        model=model,
        args=sft_config(recipe, 0, folder, steps, activations=activations),
        train_dataset=rows,
        processing_class=load_tokenizer(cell.model),
    )
    return trainer, {"input_ids": ids, "labels": labels, "attention_mask": mask}


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most elements of any tensor that torch makes."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at what comes out."""
        del types
        found = func(*args, **(kwargs or {}))
        for one in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(one, torch.Tensor):
                self.elements = max(self.elements, one.numel())
        return found


def test_the_loss_and_its_gradients_are_those_of_the_logits_which_are_never_there(
    cell_of: Callable[..., Cell], tmp_path: Path
) -> None:
    trainer, batch = made(cell_of("count.size=8"), tmp_path)
    targets = batch["labels"][:, 1:]
    count = (targets != IGNORED_LABEL).sum()
    with Largest() as seen:  # type: ignore[no-untyped-call]
        loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=count)
        loss.backward()
    fused = {name: weight.grad.clone() for name, weight in trainer.model.named_parameters()}
    assert WORDS * 8 <= seen.elements < 2 * (TOKENS - 1) * WORDS
    trainer.model.zero_grad()
    logits = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    plain = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED_LABEL, reduction="sum") / count
    plain.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, plain, rtol=1e-6, atol=0)
    for name, weight in trainer.model.named_parameters():
        torch.testing.assert_close(fused[name], weight.grad, rtol=1e-4, atol=1e-7)


def test_activations_are_not_moved_off_a_gpu_that_is_not_there(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ConfigProblems, match=r"given offload, .* no GPU; allowed here: auto, keep, recompute"):
        made(cell_of("count.size=8"), tmp_path, "offload")


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_slices_hold_each_target_once_and_a_token_predicts_across_their_border(degree: int) -> None:
    ids = torch.arange(1, 9)[None]
    labels = torch.where(ids <= 3, IGNORED_LABEL, ids)
    whole = {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)}
    slices = [SlicingCollator(lambda _: whole, number, degree)([]) for number in range(degree)]
    together = {name: torch.cat([one[name] for one in slices], dim=1) for name in slices[0]}
    assert torch.equal(together["input_ids"], ids)
    assert together["position_ids"].tolist() == [list(range(8))]
    assert together["shift_labels"].tolist() == [[IGNORED_LABEL] * 2 + [4, 5, 6, 7, 8] + [IGNORED_LABEL]]
