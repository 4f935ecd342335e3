"""On a real Slurm: parts, packed tasks, canaries, holds, waves and notices, each to the results of an undisturbed run.

Walks through jobs.
"""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.slurm.caught import anything, caught, has_heard
from tests.slurm.daemons import LIMIT_S, until
from tests.slurm.launched import ON_SLURM, Launched, signalled

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
    assert [(submission.stage, len(submission.tasks)) for submission in study.submissions()] == [
        ("train", 1), ("evaluate", 1), ("train", 3), ("evaluate", 3),
    ]  # fmt: skip
    assert study.watch() == expected
    ran = {
        stage: {name for event in study.events() if event["stage"] == stage for name in event["ran"]}
        for stage in ("train", "evaluate")
    }
    assert "train" in ran["train"] and not ran["train"] & ran["evaluate"]


def test_packed_cells_share_a_task_that_goes_on_after_a_notice_and_after_a_failure(
    study: Launched, expected: bytes
) -> None:
    """The notice is the one that Slurm gives before the time limit; what fails is the last cell, whose frozen job is damaged."""
    study.launch("cluster.cells_per_job=4")
    [only] = study.submissions()
    [task] = only.tasks
    assert len(task) == 4
    of_another_version(study, task[-1])
    [worker] = caught(study, ("train", anything))
    subprocess.run(["scancel", "--signal=USR2", worker.task], check=True)
    until(lambda: has_heard(worker.worker, signal.SIGUSR2))
    signalled(worker.worker, signal.SIGCONT)
    study.wait_until({"failed": 1, "done": 3})
    assert [event["error"] for event in study.events() if event["kind"] == "interrupted"] == ["stopped by SIGUSR2"]
    assert {event["restart"] for event in study.events()} == {0, 1}
    assert len(study.submissions()) == 1
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


@pytest.mark.slow
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
    assert "2 cells in a row failed as record_error" in study.ablation("failures", code=1)
    assert "released" in study.ablation("release")
    until(lambda: study.counts().get("done") == 2)
    study.launch()
    assert study.watch() == expected


def of_another_version(study: Launched, cell: str) -> None:
    """Let the frozen job of a cell say that an earlier version has written it."""
    path = study.outputs / study.study / "jobs" / f"{cell}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "format": 2}))
