"""Several processes as one world: the same updates as one process makes, whatever becomes of the processes."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ablation.config.cluster import RuntimeOptions
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell
from ablation.training import distributed as world
from ablation.training.distributed import VARIABLES, ProcessGroup
from ablation.training.train import train
from tests.processes import UNEVEN, Processes, assert_close, read
from tests.stage_runs import StopAt


@pytest.mark.parametrize("recipe", ["mini", pytest.param("mini_lora", marks=pytest.mark.slow)])
def test_two_and_four_processes_make_the_updates_of_one(processes: Callable[..., Processes], recipe: str) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}")
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    for size in (2, 4):
        many = processes(f"{size}", *UNEVEN, f"train={recipe}")
        assert many.run(size) == [""] * size
        assert_close(one.last, many.last)
        told = json.loads((many.last.out / "timing.json").read_text())
        assert (told["processes"], told["rows_at_once"]) == (size, 8 // size)


@pytest.mark.parametrize("recipe", ["mini", pytest.param("mini_lora", marks=pytest.mark.slow)])
def test_packed_updates_are_those_of_the_unpacked_run_on_one_two_and_four_processes(
    processes: Callable[..., Processes], recipe: str
) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}")
    train(one.cell, *one.chosen, one.begin(), RuntimeOptions())
    for size in (1, 2, 4):
        packed = processes(f"packed {size}", *UNEVEN, f"train={recipe}", "train.packing=true")
        assert packed.run(size) == [""] * size
        assert_close(one.last, packed.last)
        assert read(packed.last, "summary.json") == pytest.approx(read(one.last, "summary.json"), rel=1e-4)
        timing = read(packed.last, "timing.json")
        assert timing["padding_share"] == 0 < read(one.last, "timing.json")["padding_share"] < 1
        assert timing["useful_tokens_per_second"] > 0 and timing["mfu"] is None


def test_asked_in_any_process_all_stop_at_the_same_update_and_go_on_from_there(
    processes: Callable[..., Processes],
) -> None:
    dropout = ("train=mini_lora", *UNEVEN, "train.lora.dropout=0.2")
    whole, pieces = processes("whole", *dropout), processes("pieces", *dropout)
    assert whole.run(2) == ["", ""]
    [first, second] = pieces.run(2, halts={1: StopAt(2)})
    assert first.startswith("Interrupted: stopped: another process of this cell was asked to")
    assert second == ""
    kept = pieces.begun[0].kept / "checkpoint-2"
    assert (kept / "COMPLETE.json").exists() and (kept / "rng_state_1.pth").exists()
    assert pieces.run(2) == ["", ""]
    for name in ("loss.jsonl", "summary.json", "weights/model.safetensors"):
        assert (pieces.begun[1].out / name).read_bytes() == (whole.begun[0].out / name).read_bytes()


def test_when_another_process_runs_out_of_memory_the_cell_fails_as_that(
    processes: Callable[..., Processes], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def small_memory(rank: int) -> None:
        """A stand-in for the memory of the second process's device."""

        def refuse(module: torch.nn.Module, given: object) -> None:
            del module, given
            raise torch.OutOfMemoryError("CUDA out of memory (a test says so)")

        if rank == 1:
            torch.nn.modules.module.register_module_forward_pre_hook(refuse)

    # It ends once the first has heard why, or never: its end would have Slurm end the first.
    monkeypatch.setattr(world, "RECORDED_S", 1e6)
    [first, second] = processes("one", *UNEVEN).run(2, before=small_memory)
    assert first == f"OutOfMemory: process 1 of 2: {second.removeprefix('OutOfMemory: ')}"
    assert first.startswith("OutOfMemory: process 1 of 2: out of memory with 4 rows at once; set cluster.micro_batch=2")
    # What the first process met itself stands in its trace.
    assert "was the direct cause of the following exception" in capfd.readouterr().err.rpartition("process 1 of 2: ")[0]


def test_when_another_process_dies_the_cell_fails_and_nothing_hangs(processes: Callable[..., Processes]) -> None:
    def dies(rank: int) -> None:
        if rank == 1:
            torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    many = processes("one", *UNEVEN)
    [first, second] = many.run(2, before=dies)
    assert first and second == "killed"
    assert not list(many.begun[0].out.iterdir())


def test_when_the_first_process_dies_the_others_end(processes: Callable[..., Processes], tmp_path: Path) -> None:
    def dies(rank: int) -> None:
        ProcessGroup.here().begin()
        if rank:
            (tmp_path / "met").touch()
            return
        while not (tmp_path / "met").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    assert (
        processes("one", *UNEVEN).run(2, before=dies)[1].startswith("AblationError: process 0 of this world has ended")
    )


def test_a_batch_that_the_processes_cannot_share_is_refused_with_those_that_can(cell_of: Callable[..., Cell]) -> None:
    recipe = cell_of("train.batch=12").train
    assert recipe
    assert recipe.indivisible(None, 5) == (
        "cluster.nodes × cluster.tasks_per_node: given 5 processes to train a cell; allowed: a divisor of train.batch=12: "
        "[1, 2, 3, 4, 6, 12]"
    )
    assert "a divisor of the 6 examples of train.batch that a process takes: [1, 2, 3, 6]" in str(
        recipe.indivisible(4, 2)
    )
    assert recipe.indivisible(3, 4) is None and (recipe.rows(None, 4), recipe.rows(2, 3)) == (3, 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"RANK": "4"}, "allowed: 0 to 3"),
        ({"RANK": "x"}, "do not fit"),
        ({"MASTER_PORT": ""}, "do not fit"),
        ({"MASTER_ADDR": None}, "do not fit"),
    ],
)
def test_variables_that_make_no_world_are_refused(wrong: dict[str, str | None], said: str) -> None:
    given = dict(zip(VARIABLES, ("0", "4", "0", "127.0.0.1", "29500"), strict=True)) | wrong
    with pytest.raises(ConfigProblems, match=said):
        ProcessGroup.of({name: value for name, value in given.items() if value is not None})
    assert ProcessGroup.of({}).size == ProcessGroup.of({"WORLD_SIZE": "1"}).size == 1
