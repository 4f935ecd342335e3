"""The words and numbers in which Slurm itself speaks of an array are those on which the jobs rely.

Walks through jobs.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm.ledger import Submission, SubmittedTask
from ablation.jobs.status.task_state import SlurmAnswer, TaskState, derive_task_state
from tests.slurm.daemons import LIMIT_S, until

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]
NAME = "ablation-words"
Submit = Callable[[str], str]


@pytest.fixture
def submit(tmp_path: Path) -> Iterator[Submit]:
    """Submits an array of two tasks that run a line of shell; the array's id."""

    def submitted(line: str) -> str:
        script = tmp_path / "one.sbatch"
        head = f"#!/bin/sh\n#SBATCH --job-name={NAME}\n#SBATCH --array=0-1\n#SBATCH --output={tmp_path}/%a.out\n"
        script.write_text(f"{head}{line}\n")
        return slurm.submit(script)

    yield submitted
    subprocess.run(["scancel", f"--name={NAME}"], check=True)


def states(array: str) -> dict[str, str]:
    return {task: queued.state for task, queued in slurm.queue().items() if task.startswith(f"{array}_")}


def test_an_array_is_found_by_its_name_when_its_last_task_has_ended(submit: Submit) -> None:
    """The array's own number is that of its last task's job."""
    array = submit('[ "$SLURM_ARRAY_TASK_ID" = 1 ] || exec sleep 600')
    until(lambda: states(array) == {f"{array}_0": "RUNNING"})
    assert slurm.find_job(NAME) == array


def test_what_was_requeued_to_wait_is_held_until_it_is_released(submit: Submit, tmp_path: Path) -> None:
    array = submit("exec sleep 600")
    task, place = f"{array}_0", SubmittedTask(f"{array}_0", Submission(NAME, (("a",), ("b",)), array))

    def found() -> TaskState:
        return derive_task_state(place, (), SlurmAnswer(slurm.queued_tasks({task: NAME})), None, tmp_path)

    until(lambda: states(array).get(task) == "RUNNING")
    subprocess.run(["scontrol", "requeuehold", task], check=True)
    until(lambda: found().state == "held")
    assert "has requeued it to wait" in str(found().detail)
    slurm.release([task])
    until(lambda: found().state in ("queued", "running"))
