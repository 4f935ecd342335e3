"""Hydra's view of this project: a sweeper that turns a design into cells, and a launcher that runs them as a study.

Both are plugins for any Hydra application. An application that has no cells of ours is run as Hydra's basic plugins run it: the
sweeper crosses the command line, and the launcher runs one job after the other in this process.

Hydra imports every module of this namespace at every start, tab completion included: nothing heavy may be imported here.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ablation.libraries import hydra_basic_launcher, hydra_basic_sweeper, hydra_completed_job

if TYPE_CHECKING:
    from ablation.specs.cell import Cell


class AblationLauncher(Launcher):
    """Runs the cells that another sweeper asks for as one study, wherever ``cluster`` says; our own sweeper needs no launcher.

    A job's return value is None: what a cell measured is in its study's tables, and on Slurm it is not known yet.
    """

    hydra_context: HydraContext
    config: DictConfig

    def __init__(self) -> None:
        super().__init__()
        self._basic = hydra_basic_launcher()
        self._cells: list[Cell] = []  # of all batches: a sweeper may launch several times, and the study is all of them

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over, for the basic launcher too."""
        self.hydra_context, self.config = hydra_context, config
        self._basic.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra's contract: one JobReturn for each list of overrides, in order. Exits with 1 when a cell of ours failed."""
        if not has_cells(self.config):
            return self._basic.launch(job_overrides, initial_job_idx)
        from ablation.cli.entry import exit_on_refusal
        from ablation.cli.launch import run_study
        from ablation.config.read import read_execution
        from ablation.config.sweep.cells import read_composed_cells, refuse_unexpanded_design

        with exit_on_refusal():
            refuse_unexpanded_design(self.config)
            loader = self.hydra_context.config_loader
            configs = [loader.load_sweep_config(self.config, list(overrides)) for overrides in job_overrides]
            cells, contents = read_composed_cells(configs)
            self._cells += cells
            code = run_study(self._cells, (), read_execution(contents[0]))
        if code:
            sys.exit(code)
        return [
            hydra_completed_job(overrides, config) for overrides, config in zip(job_overrides, configs, strict=True)
        ]


class AblationSweeper(Sweeper):
    """Expands ``sweep.design`` together with the command line, composes each level once, and runs the study."""

    launcher: Launcher
    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over, and make the chosen launcher."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep; exits with 1 when a cell failed, and with 2 when the configuration is wrong and nothing was started."""
        if not has_cells(self.config):
            return self._crossed(arguments)
        from ablation.cli.entry import exit_on_refusal
        from ablation.cli.launch import run_study
        from ablation.config.sweep.cells import expand_sweep

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        with exit_on_refusal():
            grid = expand_sweep(self.config, parser.parse_overrides(arguments), self.hydra_context.config_loader)
            returned: Sequence[JobReturn] = ()
            if not isinstance(self.launcher, AblationLauncher):
                # Another launcher runs the cells as it runs any job; below, the whole study is shown from what they left.
                returned = self.launcher.launch(grid.overrides, initial_job_idx=0)
            code = run_study(grid.cells, grid.left_out, grid.execution, grid.remarks)
        if code:
            sys.exit(code)
        return [returned]

    def _crossed(self, arguments: list[str]) -> Any:
        basic = hydra_basic_sweeper()
        basic.setup(hydra_context=self.hydra_context, task_function=self.task_function, config=self.config)
        return basic.sweep(arguments)


def has_cells(config: DictConfig) -> bool:
    """True when this is a configuration of ours: it has a design, and every section of a cell."""
    if OmegaConf.select(config, "sweep.design") is None:
        return False
    from ablation.specs.cell import Cell

    return all(name in config for name in Cell.model_fields)


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
