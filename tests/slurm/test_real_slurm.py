"""On a real Slurm (`tools/slurm-sandbox up`): the same numbers as on local workers, whatever happens to jobs and submitters.

Walks through jobs, training, evaluation.
"""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.slurm.daemons import LIMIT_S, until
from tests.slurm.launched import ON_SLURM, Launched

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(LIMIT_S)]
TWO_CELLS = ("sweep=smoke", *TINY, "tracker=none")


@pytest.fixture
def study(tmp_path: Path) -> Launched:
    """Two cells that were not launched yet."""
    return Launched(tmp_path, "two", TWO_CELLS, ON_SLURM)


def test_cancelled_and_launched_again_the_same_numbers_as_on_local_workers(
    study: Launched, undisturbed: Callable[..., Launched]
) -> None:
    assert "2 cells submitted" in study.launch("cluster.setup=[sleep 1000]")
    assert "0 cells submitted, 2 in the queue already" in study.launch()
    study.ablation("cancel")
    until(lambda: not study.counts().keys() & {"running", "queued"})
    study.launch()
    assert study.watch() == undisturbed(*TWO_CELLS).results()


def test_what_does_not_fit_is_submitted_as_room_appears(
    study: Launched, undisturbed: Callable[..., Launched], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scontrol show config` is answered for a cluster that takes one task at a time; all else is real."""
    real = subprocess.run(["which", "scontrol"], check=True, capture_output=True, text=True).stdout.strip()
    fake = study.folder / "bin" / "scontrol"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1 $2" = "show config" ] && exec echo "MaxJobCount = 1"\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    others = subprocess.run(["squeue", "--me", "--noheader"], check=True, capture_output=True, text=True).stdout
    if others:
        pytest.skip("somebody else's jobs are in the queue, and count")
    assert "1 cells wait for room in the queue (MaxJobCount=1 is reached)" in study.launch()
    assert study.watch() == undisturbed(*TWO_CELLS).results()


@pytest.mark.parametrize(
    "script", ["kill -9 $PPID", "{sbatch} $@ >/dev/null; kill -9 $PPID"], ids=["before sbatch", "after sbatch"]
)
def test_a_submitter_that_dies_around_sbatch_submits_once(
    study: Launched, undisturbed: Callable[..., Launched], script: str
) -> None:
    """`sbatch` is replaced by one that kills the submitter, before or after the real one has taken the job."""
    real = subprocess.run(["which", "sbatch"], check=True, capture_output=True, text=True).stdout.strip()
    fake = study.folder / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/bash\n[[ $1 == --test-only ]] && exec {real} "$@"\n{script.format(sbatch=real)}\n')
    fake.chmod(0o755)
    study.launch(code=-signal.SIGKILL, first_on_path=fake.parent)
    assert not study.submissions(), "it died before it could write down that Slurm has the job"
    study.launch()
    assert study.watch() == undisturbed(*TWO_CELLS).results()
    cells = [cell for submission in study.submissions() for cell in submission.cells]
    assert len(cells) == len(set(cells)) == 2
    began = [event["job"] for event in study.events() if event["what"] == "began"]
    assert len(began) == 2, "each cell ran once"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("cluster.partition=nope", "invalid partition"),
        ("cluster.cpus_per_task=64", "node configuration is not available"),
    ],
)
def test_a_request_that_no_partition_can_meet_is_refused_in_slurms_words(
    study: Launched, word: str, reason: str
) -> None:
    refused = study.launch(word, code=2)
    assert reason in refused.lower()
    assert "Traceback" not in refused
    assert not study.submissions()
