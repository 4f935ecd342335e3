"""What is written for Slurm and read back from it, without one running."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.attempt import Means
from ablation.cell import Cell
from ablation.cluster import Slurm
from ablation.dispatch import slurm
from ablation.dispatch.failures import failures
from ablation.dispatch.frozen import freeze, read_end, record_end, thaw
from ablation.dispatch.job import Job, Outcome
from ablation.dispatch.ledger import LEDGER, Ledger, Submission
from ablation.dispatch.snapshot import snapshot
from ablation.dispatch.states import CellState, cell_states
from ablation.errors import ConfigProblems, RecordError
from ablation.store import Store

CellOf = Callable[..., Cell]

GOLDEN = """#!/bin/bash

# Parameters
#SBATCH --account=lab
#SBATCH --array=0-2%2
#SBATCH --chdir='/a b/code'
#SBATCH --comment=ablation-cnls-1
#SBATCH --constraint='h100&nvlink'
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --job-name=ablation-cnls-1
#SBATCH --mem=64GB
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output='/a b/logs/%A_%a_0_log.out'
#SBATCH --partition=gpu
#SBATCH --requeue
#SBATCH --signal=USR2@90
#SBATCH --time=30

# setup
module load cuda
export PYTHONPATH='/a b/code'
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output '/a b/logs/%A_%a_%t_log.out' /bin/python -m ablation.worker --jobs '/a b/jobs.list'
"""


def test_the_sbatch_file_is_a_function_of_its_values() -> None:
    cluster = Slurm(
        kind="slurm", partition="gpu", account="lab", constraint="h100&nvlink", gpus_per_node=4, cpus_per_task=8, mem_gb=64,
        timeout_min=30, array_parallelism=2, setup=("module load cuda",),
    )  # fmt: skip
    here = Path("/a b")
    told = slurm.sbatch_text(
        cluster, "ablation-cnls-1", here / "jobs.list", 3, here / "logs", here / "code", "/bin/python"
    )
    assert told.strip() == GOLDEN.strip()


@pytest.fixture
def job(cell_of: CellOf, store: Store, tmp_path: Path) -> Job:
    cell = cell_of()
    return Job(cell, cell.name, store.root, tmp_path / "log", 1, Means(micro_batch=2))


def test_a_frozen_job_is_the_same_job(job: Job, tmp_path: Path) -> None:
    assert thaw(freeze(job, tmp_path)) == job


def test_an_edited_frozen_job_is_refused(job: Job, tmp_path: Path) -> None:
    path = freeze(job, tmp_path)
    told = json.loads(path.read_text())
    told["cell"]["train"]["epochs"] += 1
    path.write_text(json.dumps(told))
    with pytest.raises(RecordError, match="its cell has key"):
        thaw(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}', '{"format": 1}', '{"format": 1, "cell": 3}'])
def test_a_damaged_frozen_job_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(RecordError, match=str(tmp_path / "job.json")):
        thaw(tmp_path / "job.json")


def test_the_ledger_survives_a_cut_at_every_byte(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    ledger.intend("one", ("a", "b"))
    ledger.confirm("one", "7")
    ledger.intend("two", ("c",))
    whole = ledger.path.read_bytes()
    for cut in range(len(whole) + 1):
        ledger.path.write_bytes(whole[:cut])
        found = ledger.submissions()
        assert found in (
            [],
            [Submission("one", ("a", "b"), None)],
            [Submission("one", ("a", "b"), "7")],
            [*found[:1], Submission("two", ("c",), None)],
        )
        ledger.intend("three", ("d",))
        assert ledger.submissions() == [*found, Submission("three", ("d",), None)]


def test_an_intent_is_adopted_or_withdrawn(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    for name in ("lost reply", "never sent"):
        ledger.intend(name, (name,))
    ledger.adopt({"lost reply": "12"}.get)
    assert ledger.submissions() == [Submission("lost reply", ("lost reply",), "12")]
    assert ledger.latest() == {"lost reply": "12_0"}


def test_the_snapshot_holds_the_code_with_its_data_and_is_made_once(tmp_path: Path) -> None:
    first = snapshot(tmp_path / "code")
    assert (first / "ablation/worker.py").is_file()
    assert (first / "ablation/mini/data/corpus.parquet").is_file()
    assert snapshot(tmp_path / "code") == first
    assert len(list((tmp_path / "code").iterdir())) == 1


def command(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that answer what a healthy Slurm would not; first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_states_come_from_records_then_queue_then_accounting(job: Job, fake_slurm: Path, tmp_path: Path) -> None:
    def state() -> tuple[str, str | None]:
        [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
        return found.state, found.detail

    assert state() == ("missing", None)
    ledger = Ledger(tmp_path / LEDGER)
    ledger.intend("one", (job.name,))
    ledger.confirm("one", "7")
    command(fake_slurm, "sacct", "exit 1")
    command(fake_slurm, "squeue", "echo '7_0|RUNNING|None'")
    assert state() == ("running", None)
    command(fake_slurm, "squeue", "echo '7_0|PENDING|PartitionTimeLimit'")
    assert state() == ("queued", "will never start: PartitionTimeLimit")
    command(fake_slurm, "squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert state()[0] == "unknown"
    command(fake_slurm, "squeue", "echo garbage")
    assert state()[0] == "lost"
    command(fake_slurm, "sacct", "echo '7_0|TIMEOUT'")
    assert state() == ("failed", "Slurm ended the job: TIMEOUT")
    (tmp_path / "jobs").mkdir()
    record_end(tmp_path / "jobs", Outcome(job.name, "it broke", 1.0, ()), "7_0")
    assert state() == ("failed", "it broke")
    record_end(tmp_path / "jobs", Outcome(job.name, "it broke", 1.0, ()), "6_0")
    assert state() == ("failed", "Slurm ended the job: TIMEOUT"), "the end of an earlier job says nothing of this one"
    assert read_end(tmp_path / "jobs", "nobody") is None


def test_slurms_own_words_reach_the_user(fake_slurm: Path, tmp_path: Path) -> None:
    command(fake_slurm, "sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    with pytest.raises(ConfigProblems, match="Slurm refuses: sbatch: error: invalid partition specified: nope"):
        slurm.submit(tmp_path / "x.sbatch")


def test_an_absent_slurm_is_told_from_a_failed_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(slurm.SlurmUnreachable, match="not on this machine"):
        slurm.queue()


def test_keys_do_not_reach_a_job(monkeypatch: pytest.MonkeyPatch, fake_slurm: Path) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "canary")
    monkeypatch.setenv("HF_TOKEN", "canary")
    command(fake_slurm, "squeue", "env | grep -c canary; true")
    assert slurm.clean_environment().keys() <= set(slurm.INHERITED)
    assert slurm.queued_under("x") == "0"


def test_failures_are_grouped_by_what_went_wrong() -> None:
    states = [
        CellState("a-1", "failed", "ValueError: 3 rows in a-1 at 0x7f"),
        CellState("b-2", "failed", "ValueError: 17 rows in b-2 at 0x8e"),
        CellState("c-3", "failed", "Slurm ended the job: TIMEOUT"),
        CellState("d-4", "done"),
    ]
    found = failures(states)
    assert [(one.cells, one.kind) for one in found] == [(("a-1", "b-2"), "error"), (("c-3",), "timeout")]
    assert "cluster.timeout_min" in found[1].next_step
