"""Processes that share a model's states by ZeRO make the updates of one process (needs DeepSpeed)."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, set_seed

from ablation.config.cluster import RuntimeOptions
from ablation.data.tokenizer import model_location
from ablation.specs.cell import Cell
from ablation.training.train import train
from tests.processes import UNEVEN, Processes, assert_close, assert_near, read, results
from tests.stage_runs import StopAt

pytestmark = [
    pytest.mark.deepspeed,
    pytest.mark.timeout(900),
    # DeepSpeed's own words to torch.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
# A compile that hangs says where, and ends.
COMPILE = """
import faulthandler
faulthandler.dump_traceback_later(300, exit=True)
from deepspeed.ops.op_builder.cpu import ShareMemCommBuilder as builder
builder().load()
"""


@pytest.fixture(scope="module", autouse=True)
def _compiled(pytestconfig: pytest.Config) -> Iterator[None]:
    """What DeepSpeed compiles at its first start, minutes before the processes of a test would wait for each other.

    Kept between runs, in a folder of the tests alone: torch waits for ever for a lock that a stopped compile left behind, and in
    the folder that all share such a lock may be anybody's.
    """
    pytest.importorskip("deepspeed")
    folder = pytestconfig.cache.mkdir("torch_extensions")
    for lock in folder.glob("*/lock"):
        lock.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_EXTENSIONS_DIR", str(folder))
        told = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, check=False)
        if told.returncode:
            pytest.skip(f"DeepSpeed cannot compile here what its processes talk through: {told.stderr[-2000:]}")
        yield


@pytest.mark.parametrize("zero", [2, 3])
@pytest.mark.parametrize("recipe", ["mini", "mini_lora"])
def test_sharded_updates_are_those_of_one_process(processes: Callable[..., Processes], recipe: str, zero: int) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}")
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    for size in (2, 4):
        many = processes(f"{size}", *UNEVEN, f"train={recipe}")
        assert many.run(size, RuntimeOptions(zero=zero)) == [""] * size
        assert_close(one.last, many.last)
        AutoModelForCausalLM.from_pretrained(many.last.out / "weights")


def test_an_adapter_is_whole_though_weights_are_split(processes: Callable[..., Processes]) -> None:
    one, many = (processes(name, *UNEVEN, "train=mini_lora", "train.lora.merged=false") for name in ("one", "many"))
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    assert many.run(2, RuntimeOptions(zero=3)) == ["", ""]
    alone, sharded = (load_file(told.last.out / "weights/adapter_model.safetensors") for told in (one, many))
    assert alone.keys() == sharded.keys()
    assert_near(alone, sharded)


@pytest.mark.parametrize(
    ("recipe", "options"), [("mini", RuntimeOptions(zero=2)), ("mini_lora", RuntimeOptions(zero=3, offload=True))]
)
def test_a_sharded_run_goes_on_where_it_was_stopped(
    processes: Callable[..., Processes], recipe: str, options: RuntimeOptions
) -> None:
    whole, pieces = (processes(name, *UNEVEN, f"train={recipe}") for name in ("whole", "pieces"))
    assert whole.run(2, options) == ["", ""]
    stopped = pieces.run(2, options, halts={1: StopAt(2)})
    assert [told.partition(":")[0] for told in stopped] == ["Interrupted", ""]
    assert pieces.run(2, options) == ["", ""]
    assert 0 < read(pieces.last, "timing.json")["went_on_from_update"] < 4
    assert_close(whole.last, pieces.last)


def test_bf16_is_the_same_autocast_over_float32_masters(processes: Callable[..., Processes]) -> None:
    one, many = (processes(name, *UNEVEN, "train.precision=bf16") for name in ("one", "many"))
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    assert many.run(2, RuntimeOptions(zero=3)) == ["", ""]
    (weights, curve), (others, other_curve) = results(one.last), results(many.last)
    assert [told["loss"] for told in curve] == pytest.approx([told["loss"] for told in other_curve], rel=1e-2)
    assert {tensor.dtype for tensor in [*weights.values(), *others.values()]} == {torch.float32}
    moved = torch.cat([(others[name] - tensor).abs().flatten() for name, tensor in weights.items()])
    # Where a gradient is next to nothing, rounding can turn its sign, and with it Adam's whole step of 2e-3.
    assert (moved > 2e-3).float().mean() < 0.01


@pytest.fixture
def four_heads(cell_of: Callable[..., Cell], tmp_path: Path) -> str:
    """The override for a model whose heads can be dealt out among two and four processes; the embedded one has three."""
    place = model_location(cell_of().model)[0]
    told = AutoConfig.from_pretrained(
        place, hidden_size=64, intermediate_size=128, num_attention_heads=4, num_key_value_heads=2
    )
    set_seed(0)
    model: Any = AutoModelForCausalLM.from_config(told)  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(place).save_pretrained(tmp_path / "model")
    return f"model.source.path={tmp_path / 'model'}"


@pytest.mark.parametrize(("recipe", "zero", "size"), [("mini", 3, 2), ("mini", 2, 4), ("mini_lora", 3, 4)])
def test_processes_that_share_the_tokens_of_an_example_make_the_updates_of_one_process(
    processes: Callable[..., Processes], four_heads: str, recipe: str, zero: int, size: int
) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}", four_heads)
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    many = processes("many", *UNEVEN, f"train={recipe}", four_heads)
    options = RuntimeOptions(zero=zero, sequence_parallel=2, checkpoint_s=0)
    assert many.run(size, options, halts={1: StopAt(2)})[0].startswith("Interrupted")
    assert many.run(size, options) == [""] * size
    assert read(many.last, "timing.json")["went_on_from_update"] == 2
    assert_close(one.last, many.last)
