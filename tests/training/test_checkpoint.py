"""A training run that is interrupted, killed or damaged gives the bytes of one that was left alone."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from ablation.config.cluster import RuntimeOptions
from ablation.errors import NanLoss, OutOfMemory, RecordError
from ablation.jobs.run.pipeline import run_cell
from ablation.jobs.status.error_kinds import class_of
from ablation.specs.cell import Cell
from ablation.store.interrupt import Interrupted
from ablation.store.stage_run import StageRun
from ablation.store.store import Store
from ablation.training.checkpoint import COMPLETE_FILE, CheckpointSource, newest_checkpoint, seal
from ablation.training.train import train
from tests.killing import killed
from tests.stage_runs import StageRuns, StopAt

CellOf = Callable[..., Cell]
# Six updates; the last of each epoch is a smaller one.
SIX = ("count.size=12", "train.epochs=3", "train.batch=8")
DROPOUT = ("train=mini_lora", *SIX, "train.lora.dropout=0.2")
PACKED = (*DROPOUT, "train.packing=true")
BYTES = ("weights/model.safetensors", "loss.jsonl", "summary.json")


class Trials(StageRuns):
    """StageRuns at training one cell."""

    def __init__(self, cell: Cell, chosen: tuple[Path, Path], place: Path, options: RuntimeOptions) -> None:
        super().__init__(place)
        self.cell, self.chosen, self.options = cell, chosen, options

    def run(self, stop_after: int | None = None) -> Path:
        """One attempt; returns its folder. Raises Interrupted after so many of its updates: it looks once before the first."""
        return self.work(self.begin(StopAt(None if stop_after is None else stop_after + 1)))

    def work(self, run: StageRun) -> Path:
        """Train in the folders of an attempt."""
        train(self.cell, *self.chosen, run, self.options)
        return run.out

    def went_on_from(self) -> int:
        """The update from which the last attempt went on."""
        return int(json.loads((self.begun[-1].out / "timing.json").read_text())["went_on_from_update"])

    def through(self, stops: Sequence[int]) -> Path:
        """The folder of the last of several attempts; each but the last does so many updates."""
        for updates in stops:
            with pytest.raises(Interrupted):
                self.run(updates)
        return self.run()


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Pool and selection are made once for the module."""
    return Store(tmp_path_factory.mktemp("resume"))


@pytest.fixture
def trials(cell_of: CellOf, shared_store: Store, tmp_path: Path) -> Callable[..., Trials]:
    """Trials at a cell of the given overrides."""
    torch.set_num_threads(1)

    def make(name: str, *overrides: str, options: RuntimeOptions | None = None) -> Trials:
        cell = cell_of(*overrides)
        paths = run_cell(cell, shared_store, last="select")
        return Trials(cell, (paths["select"], paths["pool"]), tmp_path / name, options or RuntimeOptions())

    return make


@pytest.fixture(scope="module")
def undisturbed() -> dict[tuple[str, ...], Path]:
    """Folders of runs that were left alone, by their overrides."""
    return {}


@pytest.fixture
def alone(
    trials: Callable[..., Trials], undisturbed: dict[tuple[str, ...], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The folder of a run of the given overrides that was left alone."""

    def run(*overrides: str) -> Path:
        if overrides not in undisturbed:
            undisturbed[overrides] = trials(str(tmp_path_factory.mktemp("alone")), *overrides).run()
        return undisturbed[overrides]

    return run


def assert_same(one: Path, two: Path) -> None:
    for name in BYTES:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.parametrize("overrides", [SIX, PACKED], ids=["full", "packed lora with dropout"])
def test_stopped_after_every_update_it_ends_with_the_same_bytes(
    trials: Callable[..., Trials], alone: Callable[..., Path], overrides: tuple[str, ...]
) -> None:
    pieces = trials("pieces", *overrides)
    assert_same(pieces.through([1] * 5), alone(*overrides))
    assert pieces.went_on_from() == 5
    assert [run.kept.exists() for run in pieces.begun] == [False] * 4 + [True] * 2


def test_stopped_twice_with_a_micro_batch_it_ends_with_the_same_bytes(trials: Callable[..., Trials]) -> None:
    options = RuntimeOptions(micro_batch=4, checkpoint_s=0)
    whole = trials("whole", *DROPOUT, options=options).run()
    assert_same(trials("pieces", *DROPOUT, options=options).through([2, 3]), whole)


def test_asked_to_stop_in_the_last_update_it_publishes(trials: Callable[..., Trials]) -> None:
    assert (trials("one", *SIX).run(6) / "summary.json").exists()


def test_without_a_reason_nothing_is_kept_and_with_one_only_the_last_two(
    trials: Callable[..., Trials], alone: Callable[..., Path]
) -> None:
    often = trials("often", *SIX, options=RuntimeOptions(checkpoint_s=0))
    assert_same(often.run(), alone(*SIX))
    assert list((alone(*SIX).parent / "kept").iterdir()) == []
    kept = often.begun[0].kept
    assert {item.name for item in kept.iterdir()} == {"checkpoint-4", "checkpoint-5"}
    assert not any(item.suffix in {".bin", ".pkl", ".md"} for item in kept.rglob("*"))


def truncate(size: Callable[[int], int]) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, size(file.stat().st_size))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "empty": truncate(lambda size: 0 * size),
    "half": truncate(lambda size: size // 2),
    "one byte short": truncate(lambda size: size - 1),
    "one bit": flip,
    "gone": Path.unlink,
}


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as an attempt leaves it, with small files in place of the trainer's."""
    place = tmp_path_factory.mktemp("kept")
    for update in (3, 4):
        folder = place / f"checkpoint-{update}"
        folder.mkdir()
        for name in ("model.safetensors", "optimizer.pt", "trainer_state.json"):
            (folder / name).write_bytes(os.urandom(200))
        seal(folder, update, 1.5)
    return place


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt", "trainer_state.json", COMPLETE_FILE])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    two_checkpoints: Path, tmp_path: Path, file: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    earlier, own = tmp_path / "earlier", tmp_path / "own"
    shutil.copytree(two_checkpoints, earlier)
    own.mkdir()
    damage(earlier / "checkpoint-4" / file)
    caplog.set_level("INFO")
    found = newest_checkpoint(own, [earlier])
    assert found and (found.folder, found.update, found.spent_s) == (own / "checkpoint-3", 3, 1.5)
    assert "passed over: checkpoint" in caplog.text and "goes on from update 3" in caplog.text
    damage(earlier / "checkpoint-3" / file)
    shutil.rmtree(own / "checkpoint-3")
    assert newest_checkpoint(own, [earlier]) is None
    assert not list(own.iterdir())


def test_a_checkpoint_outlives_whoever_was_taken_for_dead(two_checkpoints: Path, tmp_path: Path) -> None:
    earlier, own = tmp_path / "earlier", tmp_path / "own"
    shutil.copytree(two_checkpoints, earlier)
    own.mkdir()
    assert newest_checkpoint(own, [earlier])
    shutil.rmtree(earlier)
    assert newest_checkpoint(own) == newest_checkpoint(own, [earlier])


def test_a_checkpoint_of_another_recipe_is_passed_over_and_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier, own = tmp_path / "earlier", tmp_path / "own"
    folder = earlier / "checkpoint-3"
    folder.mkdir(parents=True)
    own.mkdir()
    (folder / "optimizer.pt").write_bytes(b"state")
    seal(folder, 3, 1.5, origin=CheckpointSource("digest", zero=3, processes=4))
    others = {
        "of another recipe": CheckpointSource("another", zero=3, processes=4),
        "was written by 4 processes at cluster.zero=3, and now 2 train at cluster.zero=3": CheckpointSource(
            "digest", 3, 2
        ),
        "and now 4 train at cluster.zero=0": CheckpointSource("digest", 0, 4),
    }
    for said, other in others.items():
        assert newest_checkpoint(own, [earlier], other) is None
        assert said in caplog.text
        caplog.clear()
        assert (folder / COMPLETE_FILE).is_file() and not list(own.iterdir())
    assert newest_checkpoint(own, [earlier], CheckpointSource("digest", zero=3, processes=4))
    assert CheckpointSource("digest", processes=4).misfit(CheckpointSource("digest", processes=2)) is None


def test_a_disk_that_fills_up_while_it_saves_leaves_the_last_good_checkpoint(
    trials: Callable[..., Trials], alone: Callable[..., Path]
) -> None:
    again = trials("again", *SIX, options=RuntimeOptions(checkpoint_s=0))
    run = again.begin()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(run.kept)]
    if os.geteuid() != 0 or subprocess.run(mounted, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        with pytest.raises(Exception, match=r"No space left|write|unexpected pos") as full:
            again.work(run)
        assert class_of(full.value) == "disk_full"
        assert newest_checkpoint(run.kept)
        assert_same(again.run(), alone(*SIX))
        assert again.went_on_from() >= 1
    finally:
        subprocess.run(["umount", "--lazy", str(run.kept)], check=True)


def test_training_falls_back_and_begins_anew_when_nothing_is_whole(
    trials: Callable[..., Trials], alone: Callable[..., Path]
) -> None:
    damaged = trials("damaged", *SIX, options=RuntimeOptions(checkpoint_s=0))
    with pytest.raises(Interrupted):
        damaged.run(4)
    flip(damaged.begun[0].kept / "checkpoint-4/optimizer.pt")
    with pytest.raises(Interrupted):
        damaged.run(1)
    assert (damaged.begun[1].kept / "checkpoint-4").exists()  # trained again from update 3
    for item in damaged.begun[1].kept.glob("*/model.safetensors"):
        os.truncate(item, 100)
    assert_same(damaged.run(), alone(*SIX))


def test_killed_while_it_saves_it_ends_with_the_same_bytes(
    trials: Callable[..., Trials], alone: Callable[..., Path]
) -> None:
    again = trials("again", *DROPOUT, options=RuntimeOptions(checkpoint_s=0))
    for update in (2, 4):
        run = again.begin()
        begun = run.kept / f"checkpoint-{update}"
        assert killed(lambda run=run: again.work(run), begun.exists)  # type: ignore[misc]
    assert_same(again.run(), alone(*DROPOUT))
    assert again.went_on_from() >= 3


def once_loaded(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], object]) -> None:
    """From now on every model that is loaded is changed."""
    load = AutoModelForCausalLM.from_pretrained

    def loaded(*given: Any, **options: Any) -> Any:
        model = load(*given, **options)
        change(model)
        return model

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", loaded)


def small_memory(monkeypatch: pytest.MonkeyPatch, most_rows: int) -> list[int]:
    """A stand-in for a device's memory, which this machine has none of: the model refuses more than so many rows."""
    seen: list[int] = []

    def refusing(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        del module, args
        seen.append(len(kwargs["input_ids"]))
        if seen[-1] > most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory (a test says so)")

    once_loaded(monkeypatch, lambda model: model.register_forward_pre_hook(refusing, with_kwargs=True))
    return seen


def test_out_of_memory_halves_the_rows_and_keeps_the_update(
    trials: Callable[..., Trials], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = trials("asked", *SIX, options=RuntimeOptions(micro_batch=2)).run()
    seen = small_memory(monkeypatch, most_rows=3)
    halved = trials("halved", *SIX).run()
    assert seen[:3] == [8, 4, 2]
    assert_same(halved, asked)
    told = json.loads((halved / "timing.json").read_text())
    assert (told["rows_at_once"], told["out_of_memory"]) == (2, 2)


def test_when_not_even_one_row_fits_it_says_what_to_change(
    trials: Callable[..., Trials], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = small_memory(monkeypatch, most_rows=0)
    with pytest.raises(OutOfMemory, match=r"a single row of the batch; use .* train.block_tokens \(given 512\)"):
        trials("one", *SIX).run()
    assert seen == [8, 4, 2, 1]


def test_a_loss_that_is_no_number_ends_the_cell_and_leaves_no_checkpoint(
    trials: Callable[..., Trials], monkeypatch: pytest.MonkeyPatch
) -> None:
    once_loaded(monkeypatch, lambda model: torch.nn.init.constant_(model.get_input_embeddings().weight, torch.nan))
    one = trials("one", *SIX, options=RuntimeOptions(checkpoint_s=0))
    with pytest.raises(NanLoss, match=r"update 1: the loss is nan .* Lower train.learning_rate \(given 0.002\)"):
        one.run()
    assert list(one.begun[0].kept.iterdir()) == []


def test_a_file_that_never_appears_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablation.training.checkpoint._VISIBLE_S", 0.0)
    with pytest.raises(RecordError, match="is the disk shared by all nodes"):
        seal(tmp_path, 1, 0.0, awaited=["rng_state_1.pth"])
