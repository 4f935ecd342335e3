"""Hydra's own published suites for launcher plugins: our launcher serves any Hydra application and any sweeper."""

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite


@pytest.mark.parametrize(("kind", "name"), [(Launcher, "AblationLauncher"), (Sweeper, "AblationSweeper")])
def test_hydra_discovers_the_plugins(kind: type, name: str) -> None:
    assert name in [found.__name__ for found in Plugins.instance().discover(kind)]


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
