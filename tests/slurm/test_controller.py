"""A controller that forgot its jobs, suspends them, or cannot start them: nothing is lost or waits without a word.

Walks through jobs.
"""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.slurm import daemons
from tests.slurm.caught import anything, caught
from tests.slurm.daemons import until
from tests.slurm.invariants import assert_nothing_lost
from tests.slurm.launched import ON_SLURM, Launched, signalled

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(daemons.LIMIT_S)]
TWO_CELLS = ("sweep=smoke", *TINY, "tracker=none")


@pytest.fixture
def planned(tmp_path: Path) -> Launched:
    """Two cells that are to run at once."""
    if not daemons.are_here():
        pytest.skip("no sandbox runs here; start one with tools/slurm-sandbox up")
    return Launched(tmp_path, "forgotten", TWO_CELLS, (*ON_SLURM, "cluster.canary=false"))


@pytest.fixture
def study(planned: Launched) -> Launched:
    """The same, launched."""
    planned.launch()
    return planned


def test_jobs_that_the_controller_forgot_are_lost_and_offered_again(
    study: Launched, undisturbed: Callable[..., Launched]
) -> None:
    """It starts anew without its state, and ends what it finds on its nodes."""
    [worker] = caught(study, ("train", anything))
    daemons.stop_controller()
    daemons.start_controller("-c")
    signalled(worker.worker, signal.SIGCONT)
    until(lambda: not study.workers())
    daemons.resume_nodes()
    assert set(study.counts()) <= {"lost", "failed", "done"}
    study.launch_until_done()
    assert len(study.submissions()) > 1
    assert_nothing_lost(study, undisturbed(*TWO_CELLS).results())


def test_a_suspended_job_goes_on_where_it_was(study: Launched, undisturbed: Callable[..., Launched]) -> None:
    until(lambda: bool(study.at_work()))
    running = [task.task for task in study.queue() if task.state == "RUNNING"]
    for task in running:
        subprocess.run(["scontrol", "suspend", task], check=True)
    assert {task.state for task in study.queue() if task.task in running} == {"SUSPENDED"}
    assert {cell["state"] for cell in study.status().values() if cell["job"] in running} == {"running"}
    assert "0 cells submitted, 2 in the queue already" in study.launch()
    for task in running:
        subprocess.run(["scontrol", "resume", task], check=True)
    study.watch()
    assert {event["restart"] for event in study.events()} == {0}
    assert_nothing_lost(study, undisturbed(*TWO_CELLS).results())


def test_jobs_that_a_failing_prolog_keeps_from_starting_are_held_with_what_to_do(
    planned: Launched, undisturbed: Callable[..., Launched]
) -> None:
    with daemons.failing_prolog():
        planned.launch()
        until(lambda: set(planned.counts()) == {"held"})
        details = {cell["detail"] for cell in planned.status().values()}
        assert all("could not be started on its node" in line and "ablation release" in line for line in details)
    planned.ablation("release")
    planned.watch()
    assert_nothing_lost(planned, undisturbed(*TWO_CELLS).results())
