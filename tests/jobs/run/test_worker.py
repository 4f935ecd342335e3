"""A worker on a node that is not as it should be, and one that hears a signal before it has begun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.jobs.run.job_file import TaskList
from ablation.jobs.run.slurm_task import SlurmTask
from ablation.jobs.run.worker import INTERRUPTED
from ablation.jobs.slurm import history
from tests.conftest import ROOT

# A signal while the modules of the worker are imported, however long that takes: here when the first of them is looked for.
EARLY = """
import os, runpy, signal, sys

class Sender:
    sent = False
    def find_spec(self, name, *rest):
        if name.startswith("ablation.jobs.slurm") and not Sender.sent:
            Sender.sent = True
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Sender())
sys.argv[1:] = ["--tasks", {tasks!r}, "--index", "0"]
runpy.run_module("ablation.jobs.run.worker", run_name="__main__")
"""


@pytest.mark.parametrize("name", ["SIGUSR2", "SIGTERM"])
def test_a_signal_that_comes_before_the_work_ends_it_in_order(tmp_path: Path, name: str) -> None:
    """It is recorded, and where the node has no scontrol that is said: whoever follows the study tries the cell again."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    TaskList("one", "cell", ((str(jobs / "a.json"),),), 60, 3, 0).write(jobs / "tasks.json")
    ended = subprocess.run(
        [sys.executable, "-c", EARLY.format(name=name, tasks=str(jobs / "tasks.json"))],
        capture_output=True, text=True, check=False, timeout=200, cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == INTERRUPTED, ended.stderr
    events = history.read(jobs, "a")
    assert [event.kind for event in events] == (["interrupted", "preempted"] if name == "SIGUSR2" else ["interrupted"])
    if name == "SIGUSR2":
        assert "Slurm did not requeue it" in str(events[-1].error) and "scontrol" in str(events[-1].error)


def test_handlers_stand_before_anything_heavy_is_imported() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ablation.jobs.run.worker", "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    names = [line.rsplit("|", 1)[-1].strip() for line in told.stderr.splitlines() if "|" in line]
    assert names.index("ablation.store.interrupt") < names.index("pydantic")


def test_a_node_without_scontrol_says_so_and_a_failed_canary_holds_by_its_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    here = SlurmTask("7_0", 0, 0, 0, "node")
    assert "scontrol" in str(here.requeue())
    here.hold_array()
