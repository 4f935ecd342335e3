"""One cell as a plain Hydra application runs it, for the stock launchers that benchmarks/compare.py measures."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from ablation.config.sweep.cells import read_composed_cells
from ablation.data.source import pinned_cell
from ablation.jobs.run.pipeline import run_cell
from ablation.store.store import Store


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Run the composed cell into the store of its outputs; no tables, no report."""
    [cell], [content] = read_composed_cells([config])
    run_cell(pinned_cell(cell), Store(Path(content["outputs"]) / "store"))


if __name__ == "__main__":
    main()
