"""Several processes as one world: the same updates as one process makes, whatever becomes of the processes."""

import json
import os
import signal
import socket
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ablation.attempt import Attempt, Means
from ablation.cell import Cell
from ablation.errors import ConfigProblems
from ablation.halt import Halt
from ablation.pipeline import run_cell
from ablation.store import Store
from ablation.training import world
from ablation.training.train import follow, train
from ablation.training.world import VARIABLES, World
from tests.attempts import Attempts, StopAt

# Updates of 8 and 5 examples: among four processes that take two at a time, one has nothing of the last.
UNEVEN = ("count.size=13", "train.epochs=2", "train.batch=8")


class Processes(Attempts):
    """Process 0 trains, the others follow; each is a fork of this one with the variables of a world."""

    def __init__(self, cell: Cell, chosen: tuple[Path, Path], place: Path) -> None:
        super().__init__(place)
        self.cell, self.chosen = cell, chosen

    def run(
        self,
        size: int,
        means: Means | None = None,
        halts: dict[int, Halt] | None = None,
        before: Callable[[int], object] = lambda rank: rank,
    ) -> list[str]:
        """How each process ended: "" or the name of its exception and its text. `before` runs in each of them."""
        attempt, port, halts = self.begin(), free_port(), halts or {}
        children = []
        for rank in range(size):
            told = self.place / f"{attempt.out.parent.name}-{rank}.txt"
            environment = dict(zip(VARIABLES, (str(rank), str(size), str(rank), "127.0.0.1", str(port)), strict=True))
            work = partial(self._work, rank, attempt, means, halts, before)
            children.append(forked(work, environment, told))
        return [child() for child in children]

    def _work(
        self, rank: int, attempt: Attempt, means: Means | None, halts: dict[int, Halt], before: Callable[[int], object]
    ) -> None:
        torch.set_num_threads(1)
        World.here.cache_clear()
        before(rank)
        halt = halts.get(rank, Halt())
        if rank:
            follow(halt)
            return
        try:
            train(self.cell, *self.chosen, Attempt(attempt.out, attempt.kept, attempt.earlier, halt), means or Means())
        finally:
            World.here().dismiss()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def forked(work: Callable[[], object], environment: dict[str, str], told: Path) -> Callable[[], str]:
    """Run `work` in a child; the function that waits for it and says how it ended. It is killed after two minutes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.environ.update(environment)
        try:
            work()
            told.write_text("")
        except BaseException as error:  # noqa: BLE001 a child has no other way to tell
            traceback.print_exc()
            told.write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(0)

    def wait() -> str:
        deadline = time.monotonic() + 120
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)
        return told.read_text() if told.exists() else "killed"

    return wait


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Pool and selection are made once for the module."""
    return Store(tmp_path_factory.mktemp("world"))


@pytest.fixture
def processes(cell_of: Callable[..., Cell], shared_store: Store, tmp_path: Path) -> Callable[..., Processes]:
    torch.set_num_threads(1)

    def make(name: str, *overrides: str) -> Processes:
        cell = cell_of(*overrides)
        paths = run_cell(cell, shared_store, last="select")
        return Processes(cell, (paths["select"], paths["pool"]), tmp_path / name)

    return make


def results(attempt: Attempt) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    curve = [json.loads(line) for line in (attempt.out / "loss.jsonl").read_text().splitlines()]
    return load_file(attempt.out / "weights/model.safetensors"), curve


def read(attempt: Attempt, name: str) -> dict[str, float]:
    told: dict[str, float] = json.loads((attempt.out / name).read_text())
    return told


def assert_close(one: Attempt, two: Attempt) -> None:
    (weights, curve), (others, other_curve) = results(one), results(two)
    for told, other in zip(curve, other_curve, strict=True):
        assert told == pytest.approx(other, rel=1e-4)
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("recipe", ["mini", "mini_lora"])
def test_two_and_four_processes_make_the_updates_of_one(processes: Callable[..., Processes], recipe: str) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}")
    train(one.cell, *one.chosen, one.begin(), Means())
    for size in (2, 4):
        many = processes(f"{size}", *UNEVEN, f"train={recipe}")
        assert many.run(size) == [""] * size
        assert_close(one.last, many.last)
        told = json.loads((many.last.out / "timing.json").read_text())
        assert (told["processes"], told["rows_at_once"]) == (size, 8 // size)


@pytest.mark.parametrize("recipe", ["mini", "mini_lora"])
def test_packed_updates_are_those_of_the_unpacked_run_on_one_two_and_four_processes(
    processes: Callable[..., Processes], recipe: str
) -> None:
    one = processes("one", *UNEVEN, f"train={recipe}")
    train(one.cell, *one.chosen, one.begin(), Means())
    for size in (1, 2, 4):
        packed = processes(f"packed {size}", *UNEVEN, f"train={recipe}", "train.packing=true")
        assert packed.run(size) == [""] * size
        assert_close(one.last, packed.last)
        assert read(packed.last, "summary.json") == pytest.approx(read(one.last, "summary.json"), rel=1e-4)


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
    processes: Callable[..., Processes], monkeypatch: pytest.MonkeyPatch
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
        World.here().begin()
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
        World.of({name: value for name, value in given.items() if value is not None})
    assert World.of({}).size == World.of({"WORLD_SIZE": "1"}).size == 1
