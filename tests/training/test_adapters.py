"""Adapters that are kept answer as the merged weights do, and make another cell.

Walks through data, training, jobs.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from ablation.data.source import local_path
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.store import Store
from tests.conftest import TINY

CellOf = Callable[..., Cell]
LORA = (*TINY, "train=mini_lora", "train.epochs=24")  # enough to write otherwise than the base model
UNMERGED = (*LORA, "train.lora.merged=false")


def completions(paths: dict[str, Path]) -> list[str]:
    return [json.loads(line)["text"] for line in (paths["sample"] / "completions.jsonl").read_text().splitlines()]


def test_an_adapter_beside_its_base_answers_as_their_sum(
    cell_of: CellOf, tiny_benchmark: list[str], store: Store
) -> None:
    merged, beside, base = (
        run_cell(cell_of(*given, *tiny_benchmark), store)
        for given in (LORA, UNMERGED, ("count=n0", "sample.n=2", "sample.max_tokens=24"))
    )
    written = {item.name for item in (beside["train"] / "weights").iterdir()}
    assert written >= {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"}
    assert "model.safetensors" not in written
    assert completions(beside) == completions(merged) != completions(base)


def test_peft_reads_it_and_no_path_of_a_machine_is_in_it(cell_of: CellOf, store: Store) -> None:
    one, two = (run_cell(cell_of(*given), store, last="train")["train"] / "weights" for given in (LORA, UNMERGED))
    told = json.loads((two / "adapter_config.json").read_text())
    assert (told["base_model_name_or_path"], told["revision"], told["inference_mode"]) == ("mini", None, True)
    assert told["target_modules"] == sorted(told["target_modules"])
    assert "/" not in (two / "adapter_config.json").read_text()
    place = local_path(cell_of().model.source)
    assert place
    base = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, str(two)).merge_and_unload().state_dict()
    for name, tensor in AutoModelForCausalLM.from_pretrained(one, dtype=torch.float32).state_dict().items():
        assert torch.equal(merged[name], tensor), name


def test_to_merge_or_not_is_science_and_the_default_leaves_a_key_as_it_was(cell_of: CellOf) -> None:
    merged, beside = cell_of(*LORA), cell_of(*UNMERGED)
    assert merged.train and merged.train.canonical()["lora"].keys() == {"rank", "alpha", "dropout", "targets"}
    assert merged.folders["train"] != beside.folders["train"]
    assert merged.folders["select"] == beside.folders["select"]
