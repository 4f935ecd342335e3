"""Each cell is logged once a study, with the numbers of its records, and a tracker that fails costs no cell."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.config.tracker import Tracker, mode_of
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.specs.versions import GRADER
from ablation.store.files import sha256
from ablation.store.store import Store
from ablation.tracking.cell_run import run_config, summary, track
from tests.conftest import TINY

CellOf = Callable[..., Cell]


@pytest.fixture
def base(cell_of: CellOf, tiny_benchmark: list[str], store: Store) -> Cell:
    """A finished cell: the base model on two questions."""
    cell = cell_of("count=n0", "sample.n=2", "sample.max_tokens=16", *tiny_benchmark)
    run_cell(cell, store)
    return cell


def tracker(mode: str) -> Tracker:
    return Tracker.model_validate({"mode": mode, "project": "test", "init_timeout_s": 2})


def test_auto_is_online_only_with_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert mode_of(tracker("auto")) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert mode_of(tracker("auto")) == "online"
    assert mode_of(tracker("disabled")) == "disabled"


def test_each_cell_is_logged_once_a_study_under_its_key(base: Cell, store: Store) -> None:
    assert track([base], store, tracker("offline"), "one") == []
    assert track([base], store, tracker("offline"), "one") == []
    assert track([base], store, tracker("offline"), "two") == []
    runs = list((store.root.parent / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    # W&B appends -1 to the folder of the second run when both begin in the same second.
    assert all(run.name.removesuffix("-1").endswith(base.key) for run in runs)


@pytest.mark.parametrize("damage", ["", "{", "3", "\0"])
def test_a_damaged_note_of_what_was_logged_fails_nothing(base: Cell, store: Store, damage: str) -> None:
    (store.root / "tracked").mkdir()
    (store.root / "tracked" / base.key).write_text(damage)
    assert track([base], store, tracker("offline"), "one") == []
    assert json.loads((store.root / "tracked" / base.key).read_text()) == ["one"]


def test_the_run_holds_the_nested_cell_and_the_scores(base: Cell, store: Store) -> None:
    told = run_config(base, store)
    assert told["evaluator"].startswith("transformers-float32-") and told["grader"] == GRADER
    assert told["sample"]["n"] == 2
    assert told["factors"]["count"] == 0
    assert str(store.root) not in str(told)
    assert set(summary(base, store)) == {
        f"{name}@2/{tier}" for name in ("avg", "cov") for tier in ("easy", "hard", "all")
    }


def test_what_is_in_the_run_file_is_what_was_recorded(cell_of: CellOf, tiny_benchmark: list[str], store: Store) -> None:
    """Read back with W&B's own viewer: key, group, tags, nested config, one line per update with its axis, scores and what the
    training took in the summary, and the weights where they lie.
    """
    cell = cell_of(*TINY, "train.epochs=3", *tiny_benchmark)
    paths = run_cell(cell, store)
    for study in ("one", "two"):
        assert track([cell], store, tracker("offline"), study) == []
    first, second = sorted(
        (store.root.parent / "wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns
    )
    told, again = read_back(first), read_back(second)
    assert told["run"][0]["run_id"] == again["run"][0]["run_id"] == cell.key
    assert (told["run"][0]["run_group"], told["run"][0]["tags"], again["run"][0]["tags"]) == (
        "one",
        ["one"],
        ["one", "two"],
    )
    assert told["run"][0]["config"]["update"]["train"]["epochs"] == 3
    curve = [json.loads(line) for line in (paths["train"] / "loss.jsonl").read_text().splitlines()]
    assert curve[0].keys() >= {"update", "loss", "learning_rate", "grad_norm", "total_tokens"}
    for name in curve[0]:
        logged = [row["item"] for row in told["history"] if "train/update" in row["item"]]
        assert [item[f"train/{name}"] for item in logged] == [line[name] for line in curve]
    axes = {one.get("name") or one["glob_name"]: one.get("step_metric") for one in told["metric"]}
    assert axes == {"train/update": None, "train/*": "train/update"}
    assert_refers_to(told["artifact"], paths["train"])
    assert "artifact" not in again
    written: dict[str, object] = {}
    for part in told["summary"]:
        written.update(part["update"])
    assert written.items() >= summary(cell, store).items()
    timing = json.loads((paths["train"] / "timing.json").read_text())
    phases = {f"{name}_s" for name in ("import", "load", "setup", "train", "save")}
    speed = {"useful_tokens_per_second", "tokens_per_second", "padding_share", "peak_memory_gb", "mfu_convention"}
    assert timing.keys() >= phases | speed
    assert {name for name in timing if name.endswith("_s")} == phases, "what ends so is summed up"
    assert written.items() >= {f"timing/{name}": value for name, value in timing.items() if value is not None}.items()


def assert_refers_to(artifacts: list[dict[str, Any]], stage: Path) -> None:
    """One artifact, of references to the weights' files, with the checksums that the stage was sealed with."""
    [artifact] = [one for one in artifacts if one["type"] == "model"]
    assert artifact["name"] == f"weights-{stage.name}"
    files = {path.name: path for path in (stage / "weights").iterdir()}
    entries = artifact["manifest"]["contents"]
    assert {one["path"]: one["ref"] for one in entries} == {name: path.as_uri() for name, path in files.items()}
    assert {one["path"]: int(one["size"]) for one in entries} == {
        name: path.stat().st_size for name, path in files.items()
    }
    about = json.loads(artifact["metadata"])
    assert about["kind"] == "weights"
    assert {name: told["sha256"] for name, told in about["files"].items()} == {
        f"weights/{name}": sha256(path) for name, path in files.items()
    }


def read_back(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of a run file by type, as `wandb leet` reads them."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, list[dict[str, Any]]] = {}
    for record in map(json.loads, lines):
        found.setdefault(record["type"], []).append(record.get(record["type"], {}))
    return found


def test_a_service_out_of_reach_fails_no_cell(base: Cell, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    troubles = track([base], store, tracker("online"), "one")
    assert len(troubles) == 1
    assert "0" * 40 not in troubles[0]
    assert not (store.root / "tracked" / base.key).exists()
