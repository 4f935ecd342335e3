"""Launch one cell (``python launch.py``), or with -m a whole sweep (``python launch.py -m sweep=cnls``).

The path of a sweep:

1. `check_arguments` (ablation/cli/entry.py) checks the command line, and Hydra composes the configuration.
2. The sweeper (hydra_plugins/ablation_plugins.py) calls `expand_sweep` (ablation/config/sweep/cells.py): the cells.
3. `run_study` (ablation/cli/launch.py) makes a job of each missing cell and runs it here, or submits it to Slurm.
4. A job runs the stages of its cell, up to the records of its attempts (ablation/jobs/run/job.py).
5. `conclude_study` (ablation/cli/conclude.py) writes tables and report from the records.
"""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from ablation.cli.entry import check_arguments, run_single_cell


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    """Run the composed cell; a sweep is run by the sweeper plugin instead."""
    if code := run_single_cell(config):
        sys.exit(code)


if __name__ == "__main__":
    sys.argv[1:] = check_arguments(sys.argv[1:], Path(__file__).resolve().parent / "conf")
    main()
