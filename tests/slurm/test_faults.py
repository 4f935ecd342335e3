"""The fault matrix on a real Slurm: whatever dies, nothing is lost, and the numbers are those of an undisturbed run.

Each test hits several tasks of one study, each with a fault of its own.

Walks through jobs, store, study.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.slurm import daemons
from tests.slurm.caught import (
    MissedError,
    anything,
    caught,
    checkpoints,
    has_checkpoints,
    has_heard,
    has_journal,
    journals,
)
from tests.slurm.daemons import until
from tests.slurm.invariants import assert_nothing_lost
from tests.slurm.launched import ON_SLURM, AtWork, Launched, signalled

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(daemons.LIMIT_S)]
# Every update is kept, and sampling comes in many batches: whatever is interrupted has something to go on from.
FOUR_CELLS = (
    "sweep=smoke", "tracker=none", "count.size=8,12", "train.epochs=4", "sample.n=2", "sample.max_tokens=32",
    "sample.batch_rows=12", "cluster.checkpoint_s=0",
)  # fmt: skip
ALL_AT_ONCE = (*ON_SLURM, "cluster.canary=false")


@pytest.fixture(autouse=True, scope="module")
def our_slurm() -> None:
    """Daemons are killed here, so it must be the sandbox."""
    if not daemons.are_here():
        pytest.skip("no sandbox runs here; start one with tools/slurm-sandbox up")


@pytest.fixture
def expected(undisturbed: Callable[..., Launched]) -> bytes:
    """What local workers make of the same four cells."""
    return undisturbed(*FOUR_CELLS).results()


def test_workers_killed_in_each_stage(tmp_path: Path, expected: bytes) -> None:
    study, stopped = caught_in_each_stage(tmp_path)
    for worker in stopped:
        assert signalled(worker.worker, signal.SIGKILL)
    until(lambda: not study.queue())
    assert [event for event in study.events() if event["what"] == "ended"] == []
    study.launch_until_done()
    assert "training goes on from update" in study.log()
    assert "attempts were kept" in study.log()
    assert_nothing_lost(study, expected)


def caught_in_each_stage(folder: Path) -> tuple[Launched, list[AtWork]]:
    """A study with a worker stopped in each stage. Some take moments, so a busy machine may need several studies.

    Workers may select before the command that launches them has ended, so they are looked for while it runs.
    """
    wanted = ("select", anything), ("train", has_checkpoints(1)), ("sample", has_journal), ("grade", anything)
    for turn in range(5):
        study = Launched(folder / str(turn), "killed", FOUR_CELLS, ALL_AT_ONCE)
        with ThreadPoolExecutor(1) as beside, suppress(MissedError):
            launched = beside.submit(study.launch)
            workers = caught(study, *wanted)
            launched.result()
            return study, workers
        study.ablation("cancel")
        for worker in study.workers():
            signalled(worker, signal.SIGKILL)
        until(lambda study=study: not study.queue())  # type: ignore[misc]
    raise AssertionError("no study had a worker in each stage")


def test_tasks_that_slurm_stops_and_starts_again(tmp_path: Path, expected: bytes) -> None:
    """One task each: preempted; its time limit reached; requeued in training, its newest checkpoint cut short while it waits; and
    requeued in sampling, its last record cut short.
    """
    study, began = Launched(tmp_path, "stopped", FOUR_CELLS, ALL_AT_ONCE), time.monotonic()
    study.launch()
    training = ("train", has_checkpoints(1)), ("train", has_checkpoints(1)), ("train", has_checkpoints(2))
    preempted, limited, cut_training, cut_sampling = caught(study, *training, ("sample", has_journal))

    [node] = [task.node for task in study.queue() if task.task == preempted.task]
    urgent = ["--partition=high", f"--nodelist={node}", "--cpus-per-task=8", "--output=/dev/null", "--wrap=true"]
    subprocess.run(["sbatch", "--job-name=urgent", *urgent], check=True, capture_output=True)
    limit(limited, int((time.monotonic() - began) / 60) + 1)
    for stopped in preempted, limited:
        until(lambda worker=stopped.worker: has_heard(worker, signal.SIGUSR2))  # type: ignore[misc]
        signalled(stopped.worker, signal.SIGCONT)
        until(lambda worker=stopped.worker: worker not in study.workers())  # type: ignore[misc]
    limit(limited, 20)

    requeue(study, cut_training)
    weights = checkpoints(cut_training.bench)[-1] / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    requeue(study, cut_sampling)
    [journal] = journals(cut_sampling.bench)
    os.truncate(journal, journal.stat().st_size - 10)

    study.wait_until({"done": 4})
    assert "training goes on from update" in study.log(preempted.task)
    assert "training goes on from update" in study.log(limited.task)
    assert "is damaged" in study.log(cut_training.task)
    assert "training goes on from update" in study.log(cut_training.task)
    assert "1 damaged or foreign records were dropped" in study.log(cut_sampling.task)
    interrupted = {event["job"]: event["error"] for event in study.events() if event["kind"] == "interrupted"}
    assert interrupted[preempted.task] == interrupted[limited.task] == "stopped by SIGUSR2"
    assert {event["restart"] for event in study.events()} == {0, 1}
    study.watch()
    assert_nothing_lost(study, expected)


def test_daemons_that_die(tmp_path: Path, expected: bytes) -> None:
    """The controller away when the study is submitted and while it runs; then all nodes drained; a slurmd; a node whose processes
    outlive it.
    """
    accounting = subprocess.run(["sacct"], capture_output=True, check=False)
    assert accounting.returncode, "the sandbox has no accounting, and nothing misses it"
    study = Launched(tmp_path, "daemons", FOUR_CELLS, ALL_AT_ONCE)
    with daemons.no_controller():
        assert "nothing is lost" in study.launch(code=3)
    with daemons.drained_nodes():
        assert "4 cells submitted" in study.launch()
        until(lambda: all("DRAINED" in (cell["detail"] or "") for cell in study.status().values()))
    survivor, zombie = caught(study, ("train", has_checkpoints(1)), ("train", has_checkpoints(1)))
    nodes = {task.task: task.node for task in study.queue()}
    daemons.kill_node(nodes[survivor.task], with_steps=False)
    daemons.start_node(nodes[survivor.task])
    signalled(survivor.worker, signal.SIGCONT)
    daemons.kill_node(nodes[zombie.task], with_steps=True)
    with daemons.no_controller():
        pass
    until(lambda: [task.state for task in study.queue() if task.task == zombie.task] == ["PENDING"])
    daemons.start_node(nodes[zombie.task])

    def is_taken_over() -> bool:
        study.start_requeued()
        return any(worker.bench == zombie.bench and worker.worker != zombie.worker for worker in study.at_work())

    until(is_taken_over)
    signalled(zombie.worker, signal.SIGCONT)
    study.launch_until_done()
    until(lambda: not study.workers())
    restarts = {event["job"]: event["restart"] for event in study.events() if event["what"] == "began"}
    assert restarts[survivor.task] == 0
    assert restarts[zombie.task] == 1
    assert_nothing_lost(study, expected)


def test_a_full_disk_that_is_freed(tmp_path: Path, expected: bytes) -> None:
    study = Launched(tmp_path, "full", FOUR_CELLS, ALL_AT_ONCE)
    study.outputs.mkdir()
    with small_disk(study.outputs):
        study.launch()
        [worker] = caught(study, ("train", has_checkpoints(1)))
        filler = study.outputs / "filler"
        fill(filler)
        signalled(worker.worker, signal.SIGCONT)
        until(lambda: not study.queue())
        assert study.counts().keys() & {"failed", "lost"}, "a full disk does not keep anybody from looking"
        filler.unlink()
        study.launch_until_done()
        assert_nothing_lost(study, expected)


def limit(worker: AtWork, minutes: int) -> None:
    """Change the time limit of a task."""
    subprocess.run(
        ["scontrol", "update", f"JobId={worker.task}", f"TimeLimit={minutes}"], check=True, capture_output=True
    )


def requeue(study: Launched, worker: AtWork) -> None:
    """`scontrol requeue`, and wait until its process has gone."""
    subprocess.run(["scontrol", "requeue", worker.task], check=True, capture_output=True)
    until(lambda: worker.worker not in study.workers())


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A disk of its own, in memory."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(place)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk may be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(path: Path) -> None:
    """Take what is free."""
    with path.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12):
            while True:
                try:
                    stream.write(bytes(size))
                except OSError:
                    break
