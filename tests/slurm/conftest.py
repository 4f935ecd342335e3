"""A Slurm that runs, and undisturbed studies, for the tests of this folder to share.

Walks through all rooms, by the commands alone.
"""

import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.slurm import daemons
from tests.slurm.launched import Launched, signalled


@pytest.fixture(autouse=True)
def a_running_slurm() -> None:
    """Skips where there is none."""
    try:
        subprocess.run(["sinfo", "--noheader"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no Slurm answers here; start one with tools/slurm-sandbox up")


@pytest.fixture(autouse=True)
def an_empty_queue() -> Iterator[None]:
    """In the sandbox nothing of a test is left to the next: no job, and no worker that a failed test has stopped."""
    yield
    if not daemons.are_here():
        return
    subprocess.run(["scancel", "--me"], check=False, capture_output=True)
    for worker, _ in list(daemons.processes("-m ablation.jobs.run.worker --tasks ")):
        signalled(worker, signal.SIGKILL)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Launched]:
    """The study of these words on local workers, complete; each is made once."""

    @cache
    def made(*cells: str) -> Launched:
        study = Launched(tmp_path_factory.mktemp("undisturbed"), "undisturbed", cells)
        study.launch()
        return study

    return made
