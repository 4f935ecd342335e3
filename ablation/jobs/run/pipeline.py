"""Run one cell: pool, sift, near (where asked for), select, train, sample, grade, each only when its folder is missing.

The heavy stages are imported late, each when it has work.
"""

from collections.abc import Callable
from pathlib import Path

from ablation.config.cluster import RuntimeOptions
from ablation.errors import RecordError
from ablation.libraries import importing
from ablation.specs.cell import Cell, addresses
from ablation.store.interrupt import Halt
from ablation.store.stage_run import StageRun
from ablation.store.store import Store

OnStage = Callable[[str], None]


def unheard(stage: str) -> None:
    """Nobody listens to the stages."""
    del stage


def run_cell(
    cell: Cell,
    store: Store,
    means: RuntimeOptions | None = None,
    on_stage: OnStage = unheard,
    last: str = "grade",
    halt: Halt | None = None,
) -> dict[str, Path]:
    """The complete stage folders of a cell by stage, up to the `last`; `on_stage` hears each stage that has work to do.

    Raises Interrupted when `halt` was requested.
    """
    paths: dict[str, Path] = {}

    def work(name: str, stage: str, attempt: StageRun) -> None:
        on_stage(name)
        if stage == "sample":
            _sample(cell, cell.blocks[name], paths, attempt)
        else:
            _WORK[stage](cell, paths, attempt, means or RuntimeOptions())

    for name, address in addresses(cell).items():
        if last in paths and address.stage != last:
            break
        paths[name] = store.make(
            address,
            lambda attempt, name=name, stage=address.stage: work(name, stage, attempt),  # type: ignore[misc]
            halt,
        )
    return paths


def _pool(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    from ablation.data.corpus.pool import make_pool

    del paths, means
    if cell.corpus:
        make_pool(cell.corpus, cell.model, attempt.out, attempt.halt, attempt.published)


def _sift(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    from ablation.data.corpus.filter import make_sifted

    del means
    make_sifted(paths["pool"], cell, attempt.out)


def _near(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    from ablation.data.corpus.near import make_near

    del means
    if cell.category:
        make_near(paths["pool"], paths["sift"], cell.category, attempt.out)


def _select(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    from ablation.data.corpus.select import make_selection

    del means
    make_selection(paths["sift"], paths.get("near"), cell, attempt.out)


def _train(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    with importing():
        from ablation.training.train import train

    train(cell, paths["select"], paths["pool"], attempt, means)


def _sample(cell: Cell, attempts: range, paths: dict[str, Path], attempt: StageRun) -> None:
    from ablation.evaluation.sampling.sample import sample
    from ablation.store.records import WEIGHTS_FOLDER

    weights = paths["train"] / WEIGHTS_FOLDER if "train" in paths else None
    if weights and not weights.is_dir():
        raise RecordError(f"the weights of {cell.name} were dropped; to train them again, move {weights.parent} away")
    sample(cell, attempts, weights, attempt)


def _grade(cell: Cell, paths: dict[str, Path], attempt: StageRun, means: RuntimeOptions) -> None:
    from ablation.evaluation.grading.grade import grade

    del means
    grade(cell, [paths[name] for name in cell.blocks], attempt.out)


_WORK: dict[str, Callable[[Cell, dict[str, Path], StageRun, RuntimeOptions], None]] = {
    "pool": _pool,
    "sift": _sift,
    "near": _near,
    "select": _select,
    "train": _train,
    "grade": _grade,
}
