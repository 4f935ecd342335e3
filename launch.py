"""One cell, or with -m a whole sweep: ``python launch.py -m sweep=cnls``. Nothing but wiring."""

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
