"""Cells that one process trains one after another from a base model in memory: the bytes of separate runs."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from transformers import PreTrainedModel

from ablation.config.cluster import Local, RuntimeOptions
from ablation.data.source import local_path
from ablation.jobs.run.job import Job
from ablation.jobs.run.live_table import LiveTable
from ablation.jobs.run.local import run_jobs
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.stage_run import StageRun
from ablation.store.store import Store
from ablation.training.base_models import BaseModelCache
from ablation.training.train import train

CellOf = Callable[..., Cell]
FEW = ("count.size=12", "train.epochs=2", "train.batch=8", "sample.n=1", "sample.max_tokens=4")
LORA = ("train=mini_lora", "train.lora.dropout=0.2")
# In one process, in this order: methods in turns, other seeds, the first again, another shape of adapter.
CELLS = {
    "lora": LORA,
    "full": (),
    "lora, another seed": (*LORA, "seed=1"),
    "adapter": (*LORA, "train.lora.merged=false"),
    "full, another seed": ("seed=1",),
    "lora, another rank": (*LORA, "train.lora.rank=4"),
    "lora, once more": LORA,
}
ALONE, SHARED = RuntimeOptions(), RuntimeOptions(keeps_base=True)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    torch.set_num_threads(1)
    BaseModelCache.here().drop()
    yield
    BaseModelCache.here().drop()


def trained(cell: Cell, selections: Store, place: Path, options: RuntimeOptions) -> Path:
    """The folder of a fresh train stage."""
    paths = run_cell(cell, selections, last="select")
    for name in ("out", "kept"):
        (place / name).mkdir(parents=True)
    train(cell, paths["select"], paths["pool"], StageRun(place / "out", place / "kept"), options)
    return place / "out"


def contents(folder: Path) -> dict[str, bytes]:
    """Weights or adapter, tokenizer, loss curve and summary: all but what the run took."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"timing.json", "stage.json"})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def base_weights(cell: Cell) -> dict[str, torch.Tensor]:
    folder = local_path(cell.model.source)
    assert folder
    return load_file(folder / "model.safetensors")


def assert_untouched(kept: PreTrainedModel | None, cell: Cell) -> None:
    assert kept is not None
    found = kept.state_dict()
    for name, tensor in base_weights(cell).items():
        assert torch.equal(found[name], tensor), name


def test_cells_trained_from_a_base_in_memory_have_the_bytes_of_separate_runs(
    cell_of: CellOf, selections: Store, tmp_path: Path
) -> None:
    cells = {name: cell_of(*FEW, *overrides) for name, overrides in CELLS.items()}
    shared = {name: trained(cell, selections, tmp_path / "shared" / name, SHARED) for name, cell in cells.items()}
    kept = BaseModelCache.here()._kept
    assert_untouched(kept, cells["lora"])
    for name, cell in cells.items():
        alone = trained(cell, selections, tmp_path / "alone" / name, ALONE)
        assert BaseModelCache.here()._kept is None
        assert contents(shared[name]) == contents(alone), name
    assert contents(shared["lora"]) == contents(shared["lora, once more"]) != contents(shared["lora, another seed"])


@pytest.mark.slow
def test_warm_workers_share_a_base_and_write_what_a_fresh_process_writes(
    cell_of: CellOf, selections: Store, store: Store, tmp_path: Path
) -> None:
    """Three cells in one worker process, sampling and grading between them; compared with this process, which keeps nothing."""
    cells = [cell_of(*FEW, *LORA, "train.lora.merged=false", f"seed.train={seed}") for seed in range(3)]
    jobs = [
        Job(cell, cell.name, store.root, tmp_path / f"{number}.log", 1, SHARED) for number, cell in enumerate(cells)
    ]
    console = Console(file=io.StringIO())
    outcomes = run_jobs(jobs, Local(kind="local", workers=1), LiveTable(console, len(jobs), 1, False))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    imports = []
    for number, cell in enumerate(cells):
        there = store.root / cell.folders["train"]
        assert contents(there) == contents(trained(cell, selections, tmp_path / str(number), ALONE))
        imports.append(json.loads((there / "timing.json").read_text())["import_s"])
    assert sum(seconds > 0.01 for seconds in imports) == 1, "a warm process imports once"


def test_the_model_that_is_kept_is_one_and_the_newest(cell_of: CellOf, tmp_path: Path) -> None:
    """Another model pushes it out before it is read; one whose weights are drawn as it is read is never kept."""
    bases, mini = BaseModelCache(), cell_of().model
    first = bases.fresh(mini, keep=True, frozen=True)
    kept = bases._kept
    assert kept is not None and kept is not first
    assert [one.data_ptr() for one in kept.parameters()] == [one.data_ptr() for one in first.parameters()]
    copied = bases.fresh(mini, keep=True, frozen=False)
    assert bases._kept is kept
    assert {one.data_ptr() for one in kept.parameters()}.isdisjoint(one.data_ptr() for one in copied.parameters())
    headless = first.__class__(first.config)
    headless.config.tie_word_embeddings = False
    headless.model.save_pretrained(tmp_path / "headless")
    other = mini.model_copy(
        update={"source": mini.source.model_copy(update={"path": str(tmp_path / "headless"), "sha256": None})}
    )
    torch.manual_seed(1)
    drawn = bases.fresh(other, keep=True, frozen=True)
    assert bases._kept is None
    torch.manual_seed(2)
    assert not torch.equal(drawn.lm_head.weight, bases.fresh(other, keep=True, frozen=True).lm_head.weight)
    assert bases._kept is None


@pytest.mark.parametrize(
    ("workers", "jobs", "share", "kept"), [(2, 2, True, False), (2, 3, True, True), (2, 3, False, False)]
)
def test_a_base_is_kept_where_a_process_has_more_than_one_cell(
    workers: int, jobs: int, share: bool, kept: bool
) -> None:
    assert Local(kind="local", workers=workers, share_base=share).keeps_base(jobs) is kept
