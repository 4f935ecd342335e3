"""On a real Slurm: parts, packed tasks, canaries, holds, waves and notices, each to the results of an undisturbed run."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.slurm.daemons import LIMIT_S, until
from tests.slurm.launched import ON_SLURM, Launched

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]
FOUR_CELLS = ("sweep=smoke", *TINY, "count.size=8,12", "tracker=none")


@pytest.fixture
def study(tmp_path: Path) -> Launched:
    """Four cells that were not launched yet."""
    return Launched(tmp_path, "four", FOUR_CELLS, ON_SLURM)


@pytest.fixture
def expected(undisturbed: Callable[..., Launched]) -> bytes:
    """What local workers make of the same four cells."""
    return undisturbed(*FOUR_CELLS).results()


def test_training_and_evaluation_are_two_arrays_behind_a_canary(study: Launched, expected: bytes) -> None:
    assert "4 cells submitted" in study.launch("cluster.split=true")
    assert [(one.stage, len(one.tasks)) for one in study.submissions()] == [
        ("train", 1), ("evaluate", 1), ("train", 3), ("evaluate", 3),
    ]  # fmt: skip
    assert study.watch() == expected
    ran = {
        stage: {name for event in study.events() if event["stage"] == stage for name in event["ran"]}
        for stage in ("train", "evaluate")
    }
    assert "train" in ran["train"] and not ran["train"] & ran["evaluate"]


@pytest.mark.slow
def test_packed_cells_run_in_one_task_and_one_that_fails_stops_no_other(study: Launched, expected: bytes) -> None:
    study.launch("cluster.cells_per_job=4")
    [only] = study.submissions()
    [task] = only.tasks
    assert len(task) == 4
    of_another_version(study, task[-1])
    until(lambda: study.counts() == {"failed": 1, "done": 3})
    [failed] = [cell for cell in study.status().values() if cell["state"] == "failed"]
    assert "has format 2" in failed["detail"]
    assert "submitted again: 1 cells" in study.ablation("retry")
    assert study.watch() == expected


def test_a_failed_canary_holds_the_rest_and_launching_again_goes_on(study: Launched, expected: bytes) -> None:
    study.launch("cluster.setup=[exit 3]")
    until(lambda: study.counts() == {"failed": 1, "held": 3})
    assert "3 × held: the canary diverse" in study.ablation("failures", code=1)
    assert "4 cells submitted" in study.launch()
    assert study.watch() == expected


def test_an_array_whose_cells_fail_alike_is_held_and_released(study: Launched, expected: bytes) -> None:
    """Cells one after the other; the first two find their frozen jobs damaged, and the others are held before they begin."""
    go = study.folder / "go"
    alone = ("cluster.canary=false", "cluster.hold_after=2", "cluster.array_parallelism=1")
    study.launch(*alone, f"cluster.setup=['until test -e {go}; do sleep 0.2; done']")
    [array] = study.submissions()
    for [name] in array.tasks[:2]:
        of_another_version(study, name)
    go.touch()
    until(lambda: study.counts() == {"failed": 2, "held": 2})
    assert "2 cells failed as record_error" in study.ablation("failures", code=1)
    assert "released" in study.ablation("release")
    until(lambda: study.counts().get("done") == 2)
    study.launch()
    assert study.watch() == expected


@pytest.mark.slow
def test_hold_keeps_cells_in_the_queue_until_release(study: Launched, expected: bytes) -> None:
    study.launch()
    assert "held: 3 cells" in study.ablation("hold")
    until(lambda: study.counts() == {"done": 1, "held": 3})
    assert "released: 3 cells" in study.ablation("release")
    assert study.watch() == expected


def test_a_task_that_is_given_notice_saves_and_asks_to_be_started_again(study: Launched, expected: bytes) -> None:
    """The notice is the one that Slurm gives before the time limit."""
    study.launch("cluster.cells_per_job=4")
    [only] = study.submissions()
    until(lambda: any(one.stage == "train" for one in study.at_work()))
    subprocess.run(["scancel", "--signal=USR2", f"{only.job}_0"], check=True)
    study.wait_until_done()
    assert [event["error"] for event in study.events() if event["kind"] == "interrupted"] == ["stopped by SIGUSR2"]
    assert {event["restart"] for event in study.events()} == {0, 1}
    assert len(study.submissions()) == 1
    assert study.watch() == expected


@pytest.mark.slow
def test_what_does_not_fit_is_submitted_as_room_appears(
    study: Launched, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scontrol show config` is answered for a cluster that takes two tasks at a time; all else is real."""
    real = subprocess.run(["which", "scontrol"], check=True, capture_output=True, text=True).stdout.strip()
    fake = study.folder / "bin" / "scontrol"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1 $2" = "show config" ] && exec echo "MaxJobCount = 2"\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    others = subprocess.run(["squeue", "--me", "--noheader"], check=True, capture_output=True, text=True).stdout
    if others:
        pytest.skip("somebody else's jobs are in the queue, and count")
    assert "2 cells wait for room in the queue (MaxJobCount=2 is reached)" in study.launch()
    assert study.watch() == expected


def test_two_nodes_train_as_one_world(tmp_path: Path) -> None:
    world = ("cluster=slurm", "cluster.nodes=2", "cluster.tasks_per_node=2", "cluster.cpus_per_task=4")
    study = Launched(tmp_path, "world", (*FOUR_CELLS, "count.size=8", "style=r1"), world)
    study.launch()
    study.watch()
    assert {one["processes"] for one in study.timings("train")} == {4}


def of_another_version(study: Launched, cell: str) -> None:
    """Let the frozen job of a cell say that an earlier version has written it."""
    path = study.outputs / study.study / "jobs" / f"{cell}.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
