"""Find what a study no longer needs on disk, and remove it without disturbing a job at work.

Logs, records and published stages stay.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ablation.config.execution import Keep
from ablation.jobs.status.states import CellStatus
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import CellState
from ablation.store.files import age_s, bytes_below, matching_paths
from ablation.store.lease import LeaseWatcher
from ablation.store.leftovers import Workbench, half_made_folders, workbenches
from ablation.store.stage_run import remove_workbench
from ablation.study.plan import Plan
from ablation.study.retention import drop_weights, droppable_weights

# A submitter copies the code within a moment; what is older was left by one that died.
_STALE_S = 3600.0


@dataclass(frozen=True)
class Leftover:
    """Something on disk that may go."""

    what: str
    """The group in which it is counted, such as ``copies of the code``."""
    path: Path
    size: int
    """Bytes."""
    remove: Callable[[], None]
    """Remove it, unless a process has begun to use it."""


def leftovers(
    plan: Plan, states: Sequence[CellStatus], kept: bool, weights: bool, cells: Sequence[Cell] | None = None
) -> list[Leftover]:
    """Return everything of this study that may go; with `cells`, only what belongs to them.

    `states` are those of all cells of the study. `kept` adds the checkpoints from which ended attempts could go on. `weights`
    adds the weights of graded cells for which no study waits; a study with keep=adapter keeps its adapters.
    """
    selected = plan.cells if cells is None else cells
    items = list(_dead_workbenches(plan, selected, states, kept))
    if cells is None:  # these belong to no single cell
        items += [*_debris(plan), *_code_copies(plan, states)]
    if weights:
        keep: Keep = "adapter" if plan.execution.keep == "adapter" else "none"
        dropped = droppable_weights(selected, plan.store, plan.folder.parent, keep)
        items += [
            Leftover("weights of graded cells", weights.path, weights.size, partial(drop_weights, weights))
            for weights in dropped
        ]
    return items


def _dead_workbenches(
    plan: Plan, cells: Sequence[Cell], states: Sequence[CellStatus], kept: bool
) -> Iterator[Leftover]:
    """Yield the workbenches of these cells' stages whose holder is provably gone and from which no job is to go on."""
    pending = {status.name for status in states if status.state.is_pending}
    # Cells share stages: a stage of a selected cell may be the one at which a pending cell goes on.
    candidates = _stage_folders(cells) - _stage_folders([cell for cell in plan.cells if cell.name in pending])
    for bench in workbenches(plan.store):
        if bench.stage_folder not in candidates or not bench.is_dead or (bench.has_kept and not kept):
            continue
        group = "checkpoints of ended attempts" if bench.has_kept else "workbenches of ended attempts"
        yield Leftover(group, bench.path, bytes_below(bench.path), partial(_clear, bench))


def _stage_folders(cells: Sequence[Cell]) -> set[str]:
    return {address.folder for cell in cells for address in addresses(cell).values()}


def _clear(bench: Workbench) -> None:
    """Remove a workbench under the lease of its stage: a process that has begun meanwhile keeps it."""
    lease = LeaseWatcher(bench.path).take()
    if lease:
        remove_workbench(lease.workbench)


def _debris(plan: Plan) -> Iterator[Leftover]:
    for path in half_made_folders(plan.store):
        yield Leftover("half-written folders", path, bytes_below(path), partial(_remove, path))


def _code_copies(plan: Plan, states: Sequence[CellStatus]) -> Iterator[Leftover]:
    """Yield the copies of the code from which no array of a pending cell runs."""
    folder = plan.folder / "code"
    # While Slurm does not answer, any array may still wait to start from its copy.
    if any(status.state == CellState.UNKNOWN for status in states):
        return
    used = _used(plan) if any(status.state.is_pending for status in states) else set()
    for path in matching_paths(folder, "*"):
        is_copied_now = path.name.startswith(".partial-") and (age_s(path, time.time()) or 0) < _STALE_S
        if path.is_dir() and path.name not in used and not is_copied_now:
            yield Leftover("copies of the code", path, bytes_below(path), partial(_remove, path))


def _used(plan: Plan) -> set[str]:
    """Return the copies that any sbatch file of the study names, also of arrays that have ended: only Slurm knows which wait."""
    digests = re.compile(r"/code/([0-9a-f]+)")
    return {digest for path in (plan.folder / "jobs").glob("*.sbatch") for digest in digests.findall(path.read_text())}


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
