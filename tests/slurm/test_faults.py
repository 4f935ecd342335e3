"""The fault matrix on a real Slurm: whatever dies, nothing is lost, and the numbers are those of an undisturbed run."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm import daemons
from tests.slurm.daemons import until
from tests.slurm.invariants import assert_nothing_lost
from tests.slurm.launched import ON_SLURM, AtWork, Launched, signalled

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(daemons.LIMIT_S)]
# Every update is kept, and sampling comes in many batches: whatever is interrupted has something to go on from.
KEEPING = (
    "sweep=smoke", "tracker=none", "train.epochs=8", "sample.n=4", "sample.max_tokens=48", "sample.batch_rows=16",
    "cluster.checkpoint_s=0",
)  # fmt: skip
FOUR_CELLS = (*KEEPING, "count.size=8,12")
ALL_AT_ONCE = (*ON_SLURM, "cluster.canary=false")


@pytest.fixture(autouse=True, scope="module")
def our_slurm() -> None:
    """Daemons are killed here, so it must be the sandbox."""
    if not daemons.are_here():
        pytest.skip("no sandbox runs here; start one with tools/slurm-sandbox up")


def caught(study: Launched, stage: str, spared: set[str], when: Callable[[AtWork], bool]) -> AtWork:
    """The first worker in this stage for which `when` holds, of a task that is not spared; from then on it is."""
    found: list[AtWork] = []

    def is_caught() -> bool:
        at_work = [one for one in study.at_work() if one.stage == stage and one.task not in spared]
        found.extend(one for one in at_work if when(one))
        return bool(found)

    until(is_caught, every_s=0.01)
    spared.add(found[0].task)
    return found[0]


def checkpoints(bench: Path) -> list[Path]:
    """The complete checkpoints on a workbench, the newest last."""
    found = [path.parent for path in bench.glob("attempt-*/kept/checkpoint-*/COMPLETE.json")]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def journals(bench: Path) -> list[Path]:
    """The journals on a workbench that hold completions."""
    return [path for path in bench.glob("attempt-*/kept/completions.jsonl") if path.stat().st_size]


def test_workers_killed_in_each_stage(tmp_path: Path, undisturbed: Callable[..., Launched]) -> None:
    study, killed = Launched(tmp_path, "killed", FOUR_CELLS, ALL_AT_ONCE), set[str]()
    study.launch()
    for stage, kept in {"select": None, "train": checkpoints, "sample": journals, "grade": None}.items():
        one = caught(study, stage, killed, lambda at, kept=kept: kept is None or bool(kept(at.bench)))  # type: ignore[misc]
        assert signalled(one.worker, signal.SIGKILL)
    until(lambda: not study.queue())
    assert [event["kind"] for event in study.events() if event["what"] == "ended"] == []
    study.launch_until_done()
    assert "training goes on from update" in study.log()
    assert "sampling goes on" in study.log()
    assert_nothing_lost(study, undisturbed(*FOUR_CELLS).results())


def test_requeued_and_preempted_tasks_go_on_from_what_they_kept(
    tmp_path: Path, undisturbed: Callable[..., Launched]
) -> None:
    """One task each: preempted in training; requeued in training, its newest checkpoint cut short while it waits; requeued in
    sampling; and requeued in sampling, its last record cut short.
    """
    study, hit = Launched(tmp_path, "requeued", FOUR_CELLS, ALL_AT_ONCE), set[str]()
    study.launch()
    preempted = caught(study, "train", hit, lambda one: bool(checkpoints(one.bench)))
    [node] = [one.node for one in study.queue() if one.task == preempted.task]
    urgent = ["--partition=high", f"--nodelist={node}", "--cpus-per-task=8", "--output=/dev/null", "--wrap=true"]
    subprocess.run(["sbatch", *urgent], check=True, capture_output=True)
    cut_training = caught(study, "train", hit, lambda one: len(checkpoints(one.bench)) > 1)
    requeue(study, cut_training)
    weights = checkpoints(cut_training.bench)[-1] / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    plain = caught(study, "sample", hit, lambda one: bool(journals(one.bench)))
    requeue(study, plain)
    cut_sampling = caught(study, "sample", hit, lambda one: bool(journals(one.bench)))
    requeue(study, cut_sampling)
    [journal] = journals(cut_sampling.bench)
    os.truncate(journal, journal.stat().st_size - 10)
    study.wait_until_done()
    assert "training goes on from update" in study.log(preempted.task)
    assert "is damaged" in study.log(cut_training.task)
    assert "training goes on from update" in study.log(cut_training.task)
    assert "attempts were kept" in study.log(plain.task)
    assert "1 damaged or foreign records were dropped" in study.log(cut_sampling.task)
    study.watch()
    assert {event["restart"] for event in study.events()} == {0, 1}
    assert_nothing_lost(study, undisturbed(*FOUR_CELLS).results())


def requeue(study: Launched, one: AtWork) -> None:
    """`scontrol requeue`, and wait until its process has gone."""
    subprocess.run(["scontrol", "requeue", one.task], check=True, capture_output=True)
    until(lambda: one.worker not in study.workers())
