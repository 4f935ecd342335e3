"""Run one cell: pool, select, train, sample, grade, each only when its folder is missing.

The heavy stages are imported late, each when it has work.
"""

from collections.abc import Callable
from pathlib import Path

from ablation.cell import Cell, addresses
from ablation.store import Store

OnStage = Callable[[str], None]


def unheard(stage: str) -> None:
    """Nobody listens to the stages."""
    del stage


def run_cell(
    cell: Cell,
    store: Store,
    micro_batch: int | None = None,
    on_stage: OnStage = unheard,
    last: str = "grade",
) -> dict[str, Path]:
    """The complete stage folders of a cell by stage, up to the `last`; `on_stage` hears each stage that has work to do."""
    paths: dict[str, Path] = {}

    def work(stage: str, folder: Path) -> None:
        on_stage(stage)
        _WORK[stage](cell, paths, folder, micro_batch)

    for stage, address in addresses(cell).items():
        paths[stage] = store.make(address, lambda folder, stage=stage: work(stage, folder))  # type: ignore[misc]
        if stage == last:
            break
    return paths


def _pool(cell: Cell, paths: dict[str, Path], folder: Path, micro_batch: int | None) -> None:
    from ablation.corpus.pool import make_pool

    del paths, micro_batch
    if cell.corpus:
        make_pool(cell.corpus, cell.model, folder)


def _select(cell: Cell, paths: dict[str, Path], folder: Path, micro_batch: int | None) -> None:
    from ablation.corpus.select import make_selection

    del micro_batch
    make_selection(paths["pool"], cell, folder)


def _train(cell: Cell, paths: dict[str, Path], folder: Path, micro_batch: int | None) -> None:
    from ablation.training.train import train

    train(cell, paths["select"], folder, micro_batch)


def _sample(cell: Cell, paths: dict[str, Path], folder: Path, micro_batch: int | None) -> None:
    from ablation.records import WEIGHTS_FOLDER
    from ablation.sampling.sample import sample

    del micro_batch
    sample(cell, paths["train"] / WEIGHTS_FOLDER if "train" in paths else None, folder)


def _grade(cell: Cell, paths: dict[str, Path], folder: Path, micro_batch: int | None) -> None:
    from ablation.grading import grade

    del micro_batch
    grade(cell, paths["sample"], folder)


_WORK: dict[str, Callable[[Cell, dict[str, Path], Path, int | None], None]] = {
    "pool": _pool,
    "select": _select,
    "train": _train,
    "sample": _sample,
    "grade": _grade,
}
