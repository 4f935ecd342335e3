"""Training gives the same bytes each time, updates every weight, and takes its loss on the assistant alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from ablation.config.cluster import RuntimeOptions
from ablation.data.corpus.pool import Conversation
from ablation.data.corpus.select import read_selection
from ablation.data.tokenizer import load_tokenizer, model_location, prompt_ids
from ablation.errors import ConfigProblems, DataError, StillWeights
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.stage_run import StageRun
from ablation.store.store import Store
from ablation.training.encode import IGNORED_LABEL, encode
from ablation.training.train import train
from tests.conftest import ROOT, openr1_row
from tests.processes import assert_near

CellOf = Callable[..., Cell]
FEW = ("count.size=12", "train.epochs=2", "train.batch=8")


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Pool and selection are made once for the module."""
    return Store(tmp_path_factory.mktemp("training"))


@pytest.fixture
def trained(cell_of: CellOf, shared_store: Store, tmp_path: Path) -> Callable[..., Path]:
    """Train a small cell in a folder of its own, as a fresh stage would."""

    def run(name: str, *overrides: str, micro_batch: int | None = None) -> Path:
        torch.set_num_threads(1)
        cell = cell_of(*FEW, *overrides)
        folder, kept = tmp_path / name, tmp_path / f"{name}.kept"
        folder.mkdir()
        kept.mkdir()
        paths = run_cell(cell, shared_store, last="select")
        train(cell, paths["select"], paths["pool"], StageRun(folder, kept), RuntimeOptions(micro_batch))
        return folder

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights" / "model.safetensors")


def test_the_same_cell_twice_gives_the_same_bytes(trained: Callable[..., Path]) -> None:
    one, two = trained("one"), trained("two")
    for name in ("weights/model.safetensors", "loss.jsonl", "summary.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_the_micro_batch_does_not_change_the_update(trained: Callable[..., Path]) -> None:
    whole, split = weights(trained("whole")), weights(trained("split", micro_batch=2))
    assert_near(whole, split)


def test_what_was_realised_is_recorded(trained: Callable[..., Path]) -> None:
    folder = trained("one")
    told = json.loads((folder / "summary.json").read_text())
    curve = [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]
    assert (
        told["updates"] == len(curve) == 2 * 2
    )  # 12 examples in batches of 8: the last, smaller update of an epoch is kept
    assert [update["examples"] for update in curve] == [8, 4, 8, 4]
    assert sum(update["tokens"] for update in curve) == told["train_tokens"]
    assert told["train_examples"] == 24
    assert told["truncated_examples"] == 0
    assert 0 < told["target_tokens"] < told["train_tokens"] == curve[-1]["total_tokens"]


def test_training_moves_every_weight(trained: Callable[..., Path], cell_of: CellOf) -> None:
    from ablation.data.source import local_path

    base = local_path(cell_of().model.source)
    assert base is not None
    before, after = load_file(base / "model.safetensors"), weights(trained("one"))
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved == list(before)


@pytest.mark.parametrize("recipe", ["mini", "mini_lora"])
def test_no_recipe_updates_weights_of_half_precision(
    trained: Callable[..., Path], cell_of: CellOf, tmp_path: Path, recipe: str
) -> None:
    """A model that is stored in bf16, as large ones are; in bf16 AdamW would round most of such small updates away."""
    place = model_location(cell_of().model)[0]
    AutoModelForCausalLM.from_pretrained(place, dtype=torch.bfloat16).save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(place).save_pretrained(tmp_path / "model")
    seen: set[torch.dtype] = set()

    def look(optimizer: torch.optim.Optimizer, *_: object) -> None:
        seen.update(weight.dtype for group in optimizer.param_groups for weight in group["params"])

    handle = register_optimizer_step_pre_hook(look)
    told = (f"model.source.path={tmp_path / 'model'}", f"train={recipe}", "train.precision=bf16", "train.batch=2")
    try:
        folder = trained("one", *told, "count.size=4", "train.learning_rate=1e-5")
    finally:
        handle.remove()
    assert seen == {torch.float32}
    before, after = load_file(tmp_path / "model/model.safetensors"), weights(folder)
    if recipe == "mini":
        matrices = [name for name in before if before[name].ndim > 1]
        moved = [(after[name] != before[name].float()).float().mean().item() for name in matrices]
        assert min(moved[1:]) > 0.9  # the first are embeddings, most of which no example uses
        kept = [(after[name].bfloat16() != before[name]).float().mean().item() for name in matrices]
        assert max(kept) < 0.5  # what would be left of it in bf16


def test_adapters_train_and_are_merged(trained: Callable[..., Path]) -> None:
    full, lora = weights(trained("full")), weights(trained("lora", "train=mini_lora"))
    assert set(lora) == set(full)


def test_a_micro_batch_that_does_not_divide_is_refused(trained: Callable[..., Path]) -> None:
    with pytest.raises(ConfigProblems, match=r"given 3; allowed: a divisor of train.batch=8: \[1, 2, 4, 8\]"):
        trained("one", micro_batch=3)


def conversation(tokenizer: PreTrainedTokenizerBase) -> dict[str, Conversation]:
    ids = tokenizer("2", add_special_tokens=False)["input_ids"]
    answer = np.array([*ids, tokenizer.eos_token_id])
    return {"t": Conversation("1 + 1", "2", np.array(prompt_ids(tokenizer, "1 + 1")), answer)}


def test_loss_falls_on_the_assistant_and_its_end_alone(cell_of: CellOf) -> None:
    tokenizer = load_tokenizer(cell_of().model)
    found = encode(conversation(tokenizer), 64)
    prompt = prompt_ids(tokenizer, "1 + 1")
    [ids], [labels] = found.input_ids, found.labels
    assert ids[: len(prompt)] == prompt
    assert labels == [IGNORED_LABEL] * len(prompt) + ids[len(prompt) :]
    assert tokenizer.eos_token_id in labels
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_truncation_is_counted_and_an_untrainable_example_refused(cell_of: CellOf) -> None:
    tokenizer = load_tokenizer(cell_of().model)
    prompt = len(prompt_ids(tokenizer, "1 + 1"))
    assert encode(conversation(tokenizer), prompt + 1).truncated == 1
    with pytest.raises(
        DataError, match=r"trajectory t: its problem alone has .* or leave such out: train.drop_untrainable"
    ):
        encode(conversation(tokenizer), prompt)


def test_what_cannot_be_trained_is_dropped_only_when_allowed_and_counted(cell_of: CellOf) -> None:
    tokenizer = load_tokenizer(cell_of().model)
    short = conversation(tokenizer)
    long = Conversation("1 + 1 + 1", "3", np.array(prompt_ids(tokenizer, "1 + 1 + 1")), short["t"].answer_ids)
    room = len(long.prompt_ids)
    with pytest.raises(DataError, match=r"trajectory u: .*1 of 2 are so"):
        encode({**short, "u": long}, room)
    found = encode({**short, "u": long}, room, drop=True)
    assert (len(found.input_ids), found.dropped) == (1, 1)
    with pytest.raises(DataError, match=r"raise train.block_tokens$"):
        encode({"u": long}, room, drop=True)


def test_a_learning_rate_that_moves_no_weight_ends_the_run(trained: Callable[..., Path]) -> None:
    with pytest.raises(StillWeights, match=r"update 4: no weight has changed in 4 updates.* \(given 1e-15\)"):
        trained("still", "train.learning_rate=1e-15", "train.epochs=8")


def test_openr1_s_geometry_becomes_a_trained_cell(cell_of: CellOf, store: Store, tmp_path: Path) -> None:
    """The real schema and the corpus's own configuration: the traps of its rows on the way to the updates."""
    rows = [openr1_row(number, problem_type="Geometry" if number % 2 else "Algebra") for number in range(24)]
    for number in (1, 3):  # right by the second checker alone
        rows[number] |= {"correctness_math_verify": [False, False], "correctness_llama": [True, False]}
    rows[5] |= {"correctness_math_verify": [False, False]}
    rows[7] |= {"is_reasoning_complete": [False, True]}
    rows[9] |= {
        "problem": json.loads((ROOT / "ablation/mini/data/benchmark.jsonl").read_text().splitlines()[0])["problem"]
    }
    path = tmp_path / "openr1.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    cell = cell_of(
        "corpus=openr1_math", "corpus.source.hub=null", f"corpus.source.path={path}", "category=geometry", "length=normal",
        "style=r1", "count.size=10", "train.epochs=1", "sample.n=1",
    )  # fmt: skip
    paths = run_cell(cell, store, last="train")
    funnel = json.loads((paths["select"] / "summary.json").read_text())["funnel"]
    assert funnel == {
        "rows": 24, "generations": 48, "not_empty": 48, "right": 44, "complete": 43, "distinct": 43, "decontaminated": 41,
        "fits_block": 41, "one_a_problem": 22, "in_category": 10, "in_style": 10, "in_band": 10, "chosen": 10,
    }  # fmt: skip
    chosen = {one.id for one in read_selection(paths["select"], paths["pool"])}
    assert chosen == {f"row-{number}#{int(number == 7)}" for number in range(1, 24, 2) if number not in (5, 9)}
    assert (paths["train"] / "weights/model.safetensors").is_file()
