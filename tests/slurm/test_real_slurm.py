"""On a real Slurm (`tools/slurm-sandbox up`): the same numbers as on local workers, whatever happens to jobs and submitters."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]
PATIENCE_S = 240
# Eight CPUs a job: at most one job a node of the sandbox, so that two real cores are not asked to run 32 of them.
ON_SLURM = ("cluster=slurm", "cluster.cpus_per_task=8", "cluster.timeout_min=10")
TWO_CELLS = ("-m", "sweep=smoke", *TINY, "tracker=none")


@pytest.fixture(autouse=True)
def a_running_slurm() -> None:
    try:
        subprocess.run(["sinfo", "--noheader"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no Slurm answers here; start one with tools/slurm-sandbox up")


def launch(folder: Path, *arguments: str, bin: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(folder, *arguments), cwd=folder, capture_output=True, text=True, check=False, env=_path(bin)
    )


def _command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "launch.py"), *TWO_CELLS, *arguments, f"outputs='{folder / 'outputs'}'"]


def _path(first: Path | None) -> dict[str, str]:
    return {**os.environ, "PATH": f"{first}:{os.environ['PATH']}"} if first else dict(os.environ)


def status(folder: Path) -> dict[str, dict[str, str]]:
    told = subprocess.run(
        [sys.executable, "-m", "ablation.cli", "status", "smoke", "--json"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return {cell["name"]: cell for cell in json.loads(told.stdout)["cells"]}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.2)


def all_done(folder: Path) -> bool:
    return all(cell["state"] == "done" for cell in status(folder).values())


def results(folder: Path) -> bytes:
    told = subprocess.run(
        [sys.executable, "-m", "ablation.cli", "watch", "smoke"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return (folder / "outputs/smoke/results.parquet").read_bytes()


def ledger(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "outputs/smoke/submissions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What local workers make of the same two cells."""
    folder = tmp_path_factory.mktemp("local")
    assert launch(folder).returncode == 0
    return (folder / "outputs/smoke/results.parquet").read_bytes()


def test_the_same_numbers_as_on_local_workers(tmp_path: Path, undisturbed: bytes) -> None:
    started = launch(tmp_path, *ON_SLURM)
    assert started.returncode == 0, started.stdout + started.stderr
    assert "2 cells submitted" in started.stdout
    again = launch(tmp_path, *ON_SLURM)
    assert "0 cells submitted, 2 in the queue already" in again.stdout or "2 done already" in again.stdout
    assert results(tmp_path) == undisturbed


def test_cancelled_cells_come_back_with_the_launch_command(tmp_path: Path, undisturbed: bytes) -> None:
    launch(tmp_path, *ON_SLURM)
    told = subprocess.run(
        [sys.executable, "-m", "ablation.cli", "cancel", "smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    until(lambda: not any(cell["state"] in ("running", "queued") for cell in status(tmp_path).values()))
    launch(tmp_path, *ON_SLURM)
    assert results(tmp_path) == undisturbed


@pytest.mark.parametrize(
    "script", ["kill -9 $PPID", "{sbatch} $@ >/dev/null; kill -9 $PPID"], ids=["before sbatch", "after sbatch"]
)
def test_a_submitter_that_dies_around_sbatch_submits_once(tmp_path: Path, undisturbed: bytes, script: str) -> None:
    """`sbatch` is replaced by one that kills the submitter, before or after the real one has taken the job."""
    real = subprocess.run(["which", "sbatch"], check=True, capture_output=True, text=True).stdout.strip()
    fake = tmp_path / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/bash\n[[ $1 == --test-only ]] && exec {real} "$@"\n{script.format(sbatch=real)}\n')
    fake.chmod(0o755)
    assert launch(tmp_path, *ON_SLURM, bin=fake.parent).returncode == -signal.SIGKILL
    assert "job" not in ledger(tmp_path)[-1]
    again = launch(tmp_path, *ON_SLURM)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path) == undisturbed
    told = [json.loads(line) for line in (tmp_path / "outputs/smoke/submissions.jsonl").read_text().splitlines()]
    taken = {line["name"] for line in told if line.get("job")}
    cells = [cell for line in told if line["name"] in taken for task in line.get("tasks", ()) for cell in task]
    assert len(cells) == len(set(cells)) == 2


def test_a_request_that_no_partition_can_meet_is_refused_in_slurms_words(tmp_path: Path) -> None:
    refused = launch(tmp_path, *ON_SLURM, "cluster.partition=nope")
    assert refused.returncode == 2
    assert "invalid partition" in refused.stderr.lower()
    assert "Traceback" not in refused.stderr
