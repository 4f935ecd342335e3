"""The spine of the framework: one cell from its corpus to its verdicts, stage by stage.

The stages import torch, vLLM and pandas. So each is imported when it has work to do, and not before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ablation.config.cluster import RuntimeOptions
from ablation.errors import RecordError
from ablation.libraries import timed_imports
from ablation.specs import Category, Corpus, Model
from ablation.specs.address import Address
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.interrupt import StopRequest
from ablation.store.stage_run import StageRun
from ablation.store.store import Store

OnStage = Callable[[str], None]
_ORDER = list(StageName)


def ignore_stage(_stage: str) -> None:
    """Do nothing when a stage begins."""


def run_cell(
    cell: Cell,
    store: Store,
    options: RuntimeOptions | None = None,
    on_stage: OnStage = ignore_stage,
    last: str = StageName.GRADE,
    halt: StopRequest | None = None,
) -> dict[str, Path]:
    """Run a cell up to the stage `last` and return the folders of its stages by name.

    A stage is done only when its folder is missing; `on_stage` is called with its name first. Sampling has several names, one for
    each block of attempts. Raises Interrupted when `halt` was requested.
    """
    stages = _Stages(store, addresses(cell), _ORDER.index(StageName(last)), on_stage, halt)
    weights = None
    if cell.corpus and cell.category:  # the base model is not trained: it has neither
        pool = stages.make(StageName.POOL, partial(_pool, cell.corpus, cell.model))
        sift = stages.make(StageName.SIFT, partial(_sift, cell, pool))
        near = stages.make(StageName.NEAR, partial(_near, cell.category, pool, sift)) if cell.category.near else None
        selection = stages.make(StageName.SELECT, partial(_select, cell, sift, near))
        weights = stages.make(StageName.TRAIN, partial(_train, cell, selection, pool, options or RuntimeOptions()))
    samples = [stages.make(name, partial(_sample, cell, block, weights)) for name, block in cell.blocks.items()]
    stages.make(StageName.GRADE, partial(_grade, cell, samples))
    return stages.folders


@dataclass(frozen=True)
class _Stages:
    """The stages of one cell, made one after another up to the one at index `last` of all stages."""

    store: Store
    addresses: Mapping[str, Address]
    last: int
    on_stage: OnStage
    halt: StopRequest | None
    folders: dict[str, Path] = field(default_factory=dict)
    """The complete folders, by the name of the stage, in the order in which the stages were made."""

    def make(self, name: str, work: Callable[[StageRun], None]) -> Path:
        """Return the folder of a stage, made by `work` where it is missing. After the last stage nothing is made."""
        address = self.addresses[name]
        if _ORDER.index(StageName(address.stage)) > self.last:
            return self.store.path(address)

        def announced_work(run: StageRun) -> None:
            self.on_stage(name)
            work(run)

        self.folders[name] = self.store.make(address, announced_work, self.halt)
        return self.folders[name]


def _pool(corpus: Corpus, model: Model, run: StageRun) -> None:
    from ablation.data.corpus.pool import make_pool

    make_pool(corpus, model, run.out, run.halt, run.stage_root)


def _sift(cell: Cell, pool: Path, run: StageRun) -> None:
    from ablation.data.corpus.sift import make_sifted

    make_sifted(pool, cell, run.out)


def _near(category: Category, pool: Path, sift: Path, run: StageRun) -> None:
    from ablation.data.corpus.near_benchmark import make_near

    make_near(pool, sift, category, run.out)


def _select(cell: Cell, sift: Path, near: Path | None, run: StageRun) -> None:
    from ablation.data.corpus.select import make_selection

    make_selection(sift, near, cell, run.out)


def _train(cell: Cell, selection: Path, pool: Path, options: RuntimeOptions, run: StageRun) -> None:
    with timed_imports():
        from ablation.training.train import train

    train(cell, selection, pool, run, options)


def _sample(cell: Cell, attempts: range, trained: Path | None, run: StageRun) -> None:
    from ablation.evaluation.sampling.sample import sample
    from ablation.store.records import WEIGHTS_FOLDER

    weights = trained / WEIGHTS_FOLDER if trained else None
    if weights and not weights.is_dir():
        raise RecordError(f"the weights of {cell.name} were dropped; to train them again, move {trained} away")
    sample(cell, attempts, weights, run)


def _grade(cell: Cell, samples: list[Path], run: StageRun) -> None:
    from ablation.evaluation.grading.grade import grade

    grade(cell, samples, run.out)
