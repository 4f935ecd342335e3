"""What tests on Slurm share: one that runs, and studies that nothing has happened to."""

import subprocess
from collections.abc import Callable
from functools import cache

import pytest

from tests.slurm.launched import Launched


@pytest.fixture(autouse=True)
def a_running_slurm() -> None:
    """Skips where there is none."""
    try:
        subprocess.run(["sinfo", "--noheader"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no Slurm answers here; start one with tools/slurm-sandbox up")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Launched]:
    """The study of these words on local workers, complete; each is made once."""

    @cache
    def made(*cells: str) -> Launched:
        study = Launched(tmp_path_factory.mktemp("undisturbed"), "undisturbed", cells)
        study.launch()
        return study

    return made
