"""Hydra's own published suites for launcher plugins: our launcher serves any Hydra application and any sweeper.

Walks through config, jobs and hydra_plugins.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite

APP = """
import hydra

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    if config.x == "bad":
        raise ValueError("x is bad")
    print("ran", config.x, config.get("y"))

main()
"""


@pytest.mark.parametrize(("kind", "name"), [(Launcher, "AblationLauncher"), (Sweeper, "AblationSweeper")])
def test_hydra_discovers_the_plugins(kind: type, name: str) -> None:
    assert name in [plugin.__name__ for plugin in Plugins.instance().discover(kind)]


# Hydra's own test applications still leave the working directory to the job.
@pytest.mark.filterwarnings("ignore:Future Hydra versions will no longer change working directory")
@pytest.mark.parametrize("launcher_name, overrides", [("ablation", [])])
class TestLauncher(LauncherTestSuite):
    """Run by Hydra's basic sweeper."""


@pytest.mark.parametrize(
    "task_launcher_cfg, extra_flags",
    [({}, ["-m", "hydra/launcher=ablation", "hydra/hydra_logging=disabled", "hydra/job_logging=disabled"])],
)
class TestIntegration(IntegrationTestSuite):
    """Run as applications of their own."""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application that knows nothing of this project."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def multirun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "plugins",
    [
        ("hydra/launcher=ablation", "hydra/sweeper=basic"),
        ("hydra/launcher=ablation", "hydra/sweeper=ablation"),
        ("hydra/launcher=basic", "hydra/sweeper=ablation"),
    ],
)
def test_another_application_is_swept_as_hydra_sweeps_it(app: Path, plugins: tuple[str, str]) -> None:
    ended = multirun(app, *plugins, "hydra.sweep.dir=many", "+x=1,2", "+y=range(0,2)")
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("ran")] == [
        "ran 1 0", "ran 1 1", "ran 2 0", "ran 2 1",
    ]  # fmt: skip
    assert sorted(path.name for path in (app / "many").iterdir()) == ["0", "1", "2", "3", "multirun.yaml"]


def test_a_failing_job_of_another_application_is_told(app: Path) -> None:
    ended = multirun(app, "hydra/launcher=ablation", "hydra/sweeper=ablation", "+x=1,bad")
    assert ended.returncode == 1
    assert "ValueError: x is bad" in ended.stderr
