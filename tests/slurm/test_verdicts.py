"""Slurm ends a job for its memory or by its node, and accounting says so: each gets the right verdict. Only some Slurms can
tell; this one can:

tools/slurm-sandbox with --memory --accounting -- pytest -m slurm tests/slurm/test_verdicts.py

Walks through jobs.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.slurm import daemons
from tests.slurm.caught import anything, caught
from tests.slurm.daemons import until
from tests.slurm.launched import ON_SLURM, Launched, signalled

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(daemons.LIMIT_S)]
ONE_CELL = ("sweep=smoke", *TINY, "style=r1", "tracker=none")
# 1,920 rows at once take 1.2 GB on top of what the libraries take.
LARGE = ("sample.n=64", "sample.batch_rows=1920", "sample.max_tokens=64")


def config(name: str) -> str:
    """What this Slurm says of one of its settings."""
    answer = subprocess.run(["scontrol", "show", "config"], check=True, capture_output=True, text=True).stdout
    [line] = [line for line in answer.splitlines() if line.startswith(f"{name} ")]
    return line.partition("=")[2].strip()


def test_a_cell_that_the_kernel_ends_for_its_memory_is_tried_again_with_more(tmp_path: Path) -> None:
    if "MEMORY" not in config("SelectTypeParameters"):
        pytest.skip("this Slurm limits no memory; tools/slurm-sandbox with --memory -- … has one that does")
    study = Launched(tmp_path, "large", (*ONE_CELL, *LARGE), (*ON_SLURM, "cluster.mem_gb=1"))
    study.launch()
    answer = study.ablation("watch")
    assert "try 1 of 2 after oom_host" in answer
    assert [submission.mem_gb for submission in study.submissions()] == [1, 2]
    assert study.counts() == {"done": 1}


def test_a_cell_whose_node_failed_is_tried_again_on_another(tmp_path: Path) -> None:
    """The job may not be requeued, so what became of it is known to accounting alone."""
    if config("AccountingStorageType") == "accounting_storage/none" or not daemons.are_here():
        pytest.skip("this Slurm keeps no accounts; tools/slurm-sandbox with --accounting -- … has one that does")
    study = Launched(tmp_path, "elsewhere", ONE_CELL, ON_SLURM)
    study.launch()
    [worker] = caught(study, ("train", anything))
    [node] = [queued.node for queued in study.queue()]
    subprocess.run(["scontrol", "update", f"JobId={worker.task}", "Requeue=0"], check=True)
    daemons.kill_node(node, with_steps=True)
    signalled(worker.worker, signal.SIGKILL)
    until(lambda: not study.queue())
    [cell] = study.status().values()
    assert (cell["state"], cell["kind"], cell["host"]) == ("failed", "node_fail", node)
    assert cell["detail"] == "Slurm ended the job: NODE_FAIL"
    answer = study.ablation("watch")
    assert "try 1 of 2 after node_fail" in answer
    hosts = [event["host"] for event in study.events() if event["kind"] is None and event["what"] == "ended"]
    assert hosts and node not in hosts
