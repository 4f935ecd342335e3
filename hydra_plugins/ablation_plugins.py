"""Hydra's view of this project: a sweeper that turns a design into cells, and a launcher that runs them.

Hydra imports every module of this namespace at every start, tab completion included: nothing heavy may be imported here.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class _Setup:
    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config


class AblationLauncher(_Setup, Launcher):
    """Runs jobs that another sweeper composed, one after the other in this process; our own sweeper hands over whole studies."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra's contract: one JobReturn for each list of overrides, in order."""
        setup_globals()
        return [self._run(list(overrides), initial_job_idx + index) for index, overrides in enumerate(job_overrides)]

    def _run(self, overrides: list[str], number: int) -> JobReturn:
        config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = number
            config.hydra.job.num = number
        return run_job(
            hydra_context=self.hydra_context,
            task_function=self.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


class AblationSweeper(_Setup, Sweeper):  # type: ignore[misc]
    """Expands ``sweep.design`` together with the command line, composes each level once, and runs the study."""

    launcher: Launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep; exits with 1 when a cell failed, and with 2 when the configuration is wrong and nothing was started."""
        from ablation.entry import taught
        from ablation.expansion import expanded
        from ablation.sweep import carry_out

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        with taught():
            grid = expanded(self.config, parser.parse_overrides(arguments), self.hydra_context.config_loader)
            returned: Sequence[JobReturn] = ()
            if not isinstance(self.launcher, AblationLauncher):
                # Another launcher runs the cells as it runs any job; below, the whole study is shown from what they left.
                returned = self.launcher.launch(grid.overrides, initial_job_idx=0)
            code = carry_out(grid.cells, grid.left_out, grid.execution, grid.remarks)
        if code:
            sys.exit(code)
        return [returned]


@dataclass
class LauncherConf:
    """Configuration node of ``hydra/launcher=ablation``."""

    _target_: str = "hydra_plugins.ablation_plugins.AblationLauncher"


@dataclass
class SweeperConf:
    """Configuration node of ``hydra/sweeper=ablation``."""

    _target_: str = "hydra_plugins.ablation_plugins.AblationSweeper"


ConfigStore.instance().store(group="hydra/launcher", name="ablation", node=LauncherConf, provider="ablation")
ConfigStore.instance().store(group="hydra/sweeper", name="ablation", node=SweeperConf, provider="ablation")
