"""What a study no longer needs on disk, and how it is removed without getting in the way of anybody who works.

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
from ablation.store.files import age_s, bytes_below, matching_paths
from ablation.store.lease import LeaseWatcher
from ablation.store.leftovers import Workbench, half_made_folders, workbenches
from ablation.store.stage_run import remove_workbench
from ablation.study.plan import Plan
from ablation.study.retention import drop_weights, droppable_weights

_PENDING = ("queued", "running", "held", "unknown")
# A submitter copies the code within a moment; what is older was left by one that died.
_STALE_S = 3600.0


@dataclass(frozen=True)
class Leftover:
    """Something that may go: what it is, where, how many bytes. `remove` does it, unless somebody has begun to use it."""

    what: str
    path: Path
    size: int
    remove: Callable[[], None]


def leftovers(
    plan: Plan, states: Sequence[CellStatus], kept: bool, weights: bool, cells: Sequence[Cell] | None = None
) -> list[Leftover]:
    """Everything of this study that may go, or, with `cells`, what is theirs. `states` are those of all its cells.

    `kept` adds what ended attempts kept to go on from; `weights` the weights of graded cells that no study waits for, but for
    adapters in a study of keep=adapter.
    """
    mine = plan.cells if cells is None else cells
    found = list(_benches(plan, mine, states, kept))
    if cells is None:  # the rest is no cell's own
        found += [*_debris(plan), *_snapshots(plan, states)]
    if weights:
        keep: Keep = "adapter" if plan.execution.keep == "adapter" else "none"
        dropped = droppable_weights(mine, plan.store, plan.folder.parent, keep)
        found += [
            Leftover("weights of graded cells", one.path, one.size, partial(drop_weights, one)) for one in dropped
        ]
    return found


def _benches(plan: Plan, mine: Sequence[Cell], states: Sequence[CellStatus], kept: bool) -> Iterator[Leftover]:
    """Workbenches of these cells' stages whose holder is provably gone, unless a job is to go on from there."""
    pending = {one.name for one in states if one.state in _PENDING}
    ours, busy = (
        {address.folder for cell in cells for address in addresses(cell).values()}
        for cells in (mine, [cell for cell in plan.cells if cell.name in pending])
    )
    for bench in workbenches(plan.store):
        if bench.stage_folder not in ours - busy or not bench.is_dead or (bench.has_kept and not kept):
            continue
        what = "checkpoints of ended attempts" if bench.has_kept else "workbenches of ended attempts"
        yield Leftover(what, bench.path, bytes_below(bench.path), partial(_clear, bench))


def _clear(bench: Workbench) -> None:
    """Under the lease of the stage: whoever has begun meanwhile keeps it."""
    lease = LeaseWatcher(bench.path).take()
    if lease:
        remove_workbench(lease.workbench)


def _debris(plan: Plan) -> Iterator[Leftover]:
    for path in half_made_folders(plan.store):
        yield Leftover("half-written folders", path, bytes_below(path), partial(_remove, path))


def _snapshots(plan: Plan, states: Sequence[CellStatus]) -> Iterator[Leftover]:
    """Copies of the code that no array of a pending cell runs from; all stay while Slurm does not answer."""
    folder = plan.folder / "code"
    if any(one.state == "unknown" for one in states):
        return
    used = _used(plan) if any(one.state in _PENDING for one in states) else set()
    for path in matching_paths(folder, "*"):
        is_copied_now = path.name.startswith(".partial-") and (age_s(path, time.time()) or 0) < _STALE_S
        if path.is_dir() and path.name not in used and not is_copied_now:
            yield Leftover("copies of the code", path, bytes_below(path), partial(_remove, path))


def _used(plan: Plan) -> set[str]:
    """The copies that any sbatch file of the study names: which of its arrays still waits is Slurm's to know."""
    digests = re.compile(r"/code/([0-9a-f]+)")
    return {digest for path in (plan.folder / "jobs").glob("*.sbatch") for digest in digests.findall(path.read_text())}


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
