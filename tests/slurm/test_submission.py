"""On a real Slurm: parts, packed tasks, canaries, holds, waves and time limits, each to the results of an undisturbed run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, TINY

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]
PATIENCE_S = 240
ON_SLURM = ("cluster=slurm", "cluster.cpus_per_task=8", "cluster.timeout_min=10")
FOUR_CELLS = ("-m", "sweep=smoke", *TINY, "count.size=8,12", "tracker=none")


@pytest.fixture(autouse=True)
def a_running_slurm() -> None:
    try:
        subprocess.run(["sinfo", "--noheader"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no Slurm answers here; start one with tools/slurm-sandbox up")


def launch(folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "launch.py"), *FOUR_CELLS, *arguments, f"outputs='{folder / 'outputs'}'"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def ablation(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ablation.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def status(folder: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(ablation(folder, "status", "smoke", "--json").stdout)["cells"]
    return cells


def counts(folder: Path) -> dict[str, int]:
    states = [cell["state"] for cell in status(folder)]
    return {state: states.count(state) for state in states}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(1)


def results(folder: Path) -> bytes:
    told = ablation(folder, "watch", "smoke")
    assert told.returncode == 0, told.stdout + told.stderr
    return (folder / "outputs/smoke/results.parquet").read_bytes()


def submissions(folder: Path) -> list[dict[str, Any]]:
    return [told for told in ledger(folder) if "tasks" in told]


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "outputs/smoke/submissions.jsonl").read_text().splitlines()]


def events(folder: Path) -> list[dict[str, Any]]:
    lines = [
        line
        for path in (folder / "outputs/smoke/jobs").glob("*.history.jsonl")
        for line in path.read_text().split("\n")
    ]
    return [json.loads(line) for line in lines if line]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What local workers make of the same four cells."""
    folder = tmp_path_factory.mktemp("local")
    launch(folder)
    return (folder / "outputs/smoke/results.parquet").read_bytes()


def test_training_and_evaluation_are_two_arrays_behind_a_canary(tmp_path: Path, undisturbed: bytes) -> None:
    assert "4 cells submitted" in launch(tmp_path, *ON_SLURM, "cluster.split=true")
    assert [(one["stage"], len(one["tasks"])) for one in submissions(tmp_path)] == [
        ("train", 1), ("evaluate", 1), ("train", 3), ("evaluate", 3),
    ]  # fmt: skip
    assert results(tmp_path) == undisturbed
    ran = {
        stage: {name for event in events(tmp_path) if event["stage"] == stage for name in event["ran"]}
        for stage in ("train", "evaluate")
    }
    assert "train" in ran["train"] and not ran["train"] & ran["evaluate"]


@pytest.mark.slow
def test_packed_cells_run_in_one_task_and_one_that_fails_stops_no_other(tmp_path: Path, undisturbed: bytes) -> None:
    launch(tmp_path, *ON_SLURM, "cluster.cells_per_job=4", "cluster.timeout_min=20")
    [only] = submissions(tmp_path)
    assert [len(task) for task in only["tasks"]] == [4]
    damaged = tmp_path / "outputs/smoke/jobs" / f"{only['tasks'][0][-1]}.json"
    damaged.write_text(damaged.read_text().replace('"format": 3', '"format": 2'))
    until(lambda: counts(tmp_path) == {"failed": 1, "done": 3})
    [failed] = [cell for cell in status(tmp_path) if cell["state"] == "failed"]
    assert "has format 2" in failed["detail"]
    assert "submitted again: 1 cells" in ablation(tmp_path, "retry", "smoke").stdout
    assert results(tmp_path) == undisturbed


def test_a_failed_canary_holds_the_rest_and_launching_again_goes_on(tmp_path: Path, undisturbed: bytes) -> None:
    launch(tmp_path, *ON_SLURM, "cluster.setup=[exit 3]")
    until(lambda: counts(tmp_path) == {"failed": 1, "held": 3})
    told = ablation(tmp_path, "failures", "smoke").stdout
    assert "3 × held: the canary diverse" in told
    assert "4 cells submitted" in launch(tmp_path, *ON_SLURM)
    assert results(tmp_path) == undisturbed


def test_an_array_whose_cells_fail_alike_is_held_and_released(tmp_path: Path, undisturbed: bytes) -> None:
    """Cells one after the other; the first two find their frozen jobs damaged, and the others are held before they begin."""
    go = tmp_path / "go"
    alone = ("cluster.canary=false", "cluster.hold_after=2", "cluster.array_parallelism=1")
    launch(tmp_path, *ON_SLURM, *alone, f"cluster.setup=['until test -e {go}; do sleep 0.2; done']")
    [array] = submissions(tmp_path)
    jobs = tmp_path / "outputs/smoke/jobs"
    for [name] in array["tasks"][:2]:
        path = jobs / f"{name}.json"
        path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
    go.touch()
    until(lambda: counts(tmp_path) == {"failed": 2, "held": 2})
    assert "2 cells failed as record_error" in ablation(tmp_path, "failures", "smoke").stdout
    assert "released" in ablation(tmp_path, "release", "smoke").stdout
    until(lambda: counts(tmp_path).get("done") == 2)
    launch(tmp_path, *ON_SLURM)
    assert results(tmp_path) == undisturbed


@pytest.mark.slow
def test_hold_keeps_cells_in_the_queue_until_release(tmp_path: Path, undisturbed: bytes) -> None:
    launch(tmp_path, *ON_SLURM)
    assert "held: 3 cells" in ablation(tmp_path, "hold", "smoke").stdout
    until(lambda: counts(tmp_path) == {"done": 1, "held": 3})
    assert "released: 3 cells" in ablation(tmp_path, "release", "smoke").stdout
    assert results(tmp_path) == undisturbed


def test_a_task_that_is_given_notice_saves_and_asks_to_be_started_again(tmp_path: Path, undisturbed: bytes) -> None:
    """The notice is the one that Slurm gives before the time limit; its own delay before a restart is cut short."""
    launch(tmp_path, *ON_SLURM, "cluster.cells_per_job=4")
    [job] = {str(told["job"]) for told in ledger(tmp_path) if told.get("job")}
    until(lambda: any((tmp_path / "outputs/store/train").glob(".work-*/lease-*")))
    subprocess.run(["scancel", "--signal=USR2", f"{job}_0"], check=True)

    def start_at_once() -> bool:
        subprocess.run(["scontrol", "update", f"JobId={job}_0", "StartTime=now"], check=False, capture_output=True)
        return counts(tmp_path) == {"done": 4}

    until(start_at_once)
    assert [event["error"] for event in events(tmp_path) if event["kind"] == "interrupted"] == ["stopped by SIGUSR2"]
    assert {event["restart"] for event in events(tmp_path)} == {0, 1}
    assert len(submissions(tmp_path)) == 1
    assert results(tmp_path) == undisturbed


@pytest.mark.slow
def test_what_does_not_fit_is_submitted_as_room_appears(
    tmp_path: Path, undisturbed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scontrol show config` is answered for a cluster that takes two tasks at a time; all else is real."""
    real = subprocess.run(["which", "scontrol"], check=True, capture_output=True, text=True).stdout.strip()
    fake = tmp_path / "bin" / "scontrol"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1 $2" = "show config" ] && exec echo "MaxJobCount = 2"\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    others = subprocess.run(["squeue", "--me", "--noheader"], check=True, capture_output=True, text=True).stdout
    if others:
        pytest.skip("somebody else's jobs are in the queue, and count")
    assert "2 cells wait for room in the queue (MaxJobCount=2 is reached)" in launch(tmp_path, *ON_SLURM)
    assert results(tmp_path) == undisturbed


def test_two_nodes_train_as_one_world(tmp_path: Path) -> None:
    world = ("cluster.nodes=2", "cluster.tasks_per_node=2", "cluster.cpus_per_task=4", "cluster.timeout_min=10")
    launch(tmp_path, "cluster=slurm", *world, "count.size=8", "style=r1", "cluster.canary=false")
    told = ablation(tmp_path, "watch", "smoke")
    assert told.returncode == 0, told.stdout + told.stderr
    summaries = [json.loads(path.read_text()) for path in (tmp_path / "outputs/store/train").glob("*/timing.json")]
    assert {one["processes"] for one in summaries} == {4}
