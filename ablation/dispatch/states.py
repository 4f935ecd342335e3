"""Where every cell of a study stands. Records on disk come first, then the queue, then accounting; absence proves nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ablation.cell import Cell, addresses
from ablation.dispatch import slurm
from ablation.dispatch.filters import read_filters
from ablation.dispatch.frozen import read_end
from ablation.dispatch.ledger import LEDGER, Ledger
from ablation.store import Store
from ablation.study import read_errors

State = Literal["done", "running", "queued", "held", "failed", "lost", "unknown", "missing"]
# Reasons for which Slurm will never start a task without somebody's help.
_HOPELESS = (
    "PartitionTimeLimit",
    "PartitionNodeLimit",
    "DependencyNeverSatisfied",
    "BadConstraints",
    "InvalidQOS",
    "JobHeld",
    "QOSMax",
)


@dataclass(frozen=True)
class CellState:
    """One cell's state; `detail` is the error, the reason for waiting, or what accounting says."""

    name: str
    state: State
    detail: str | None = None


def select_cells(cells: Sequence[Cell], filters: Sequence[str]) -> list[Cell]:
    """The cells that match every filter on what they are. Raises UnknownFilter."""
    return read_filters(filters, cells, get_args(State)).cells(cells)


def selected_states(
    cells: Sequence[Cell], filters: Sequence[str], store: Store, study: Path
) -> tuple[list[Cell], list[CellState]]:
    """The cells that match every filter, ``state=…`` included, and the state of each. Raises UnknownFilter."""
    wanted = read_filters(filters, cells, get_args(State))
    chosen = wanted.cells(cells)
    states = cell_states(chosen, store, study)
    passing = [(cell, one) for cell, one in zip(chosen, states, strict=True) if wanted.has_state(one.state)]
    return [cell for cell, _ in passing], [one for _, one in passing]


def cell_states(cells: Sequence[Cell], store: Store, study: Path) -> list[CellState]:
    """The state of each cell, in order. Slurm is asked once, and only when something was submitted and is not done."""
    done = {cell.name for cell in cells if store.find(addresses(cell)["grade"])}
    submitted, here = Ledger(study / LEDGER).latest(), read_errors(study)
    asked = {name: task for name, task in submitted.items() if name not in done}
    try:
        queue: Mapping[str, slurm.Queued] | None = slurm.queue() if asked else {}
    except slurm.SlurmUnreachable:
        queue = None
    gone = [task for task in asked.values() if queue is not None and task not in queue]
    ended = slurm.ended_states(gone)

    def state(name: str) -> CellState:
        if name in done:
            return CellState(name, "done")
        if name in asked:
            return _submitted(name, asked[name], queue, ended, study)
        return CellState(name, "failed" if name in here else "missing", here.get(name))

    return [state(cell.name) for cell in cells]


def _submitted(
    name: str, task: str, queue: Mapping[str, slurm.Queued] | None, ended: Mapping[str, str], study: Path
) -> CellState:
    end = read_end(study / "jobs", name)
    if end and end.job == task and end.error:
        return CellState(name, "failed", end.error)
    if queue is None:
        return CellState(name, "unknown", "Slurm does not answer")
    if task in queue:
        return _queued(name, queue[task])
    if task in ended:
        return CellState(name, "failed", f"Slurm ended the job: {ended[task]}")
    return CellState(
        name, "lost", "the job left the queue without a result; the same launch command submits the cell again"
    )


def _queued(name: str, found: slurm.Queued) -> CellState:
    if found.state in ("RUNNING", "COMPLETING"):
        return CellState(name, "running")
    hopeless = any(found.reason.startswith(reason) for reason in _HOPELESS)
    return CellState(name, "queued", f"will never start: {found.reason}" if hopeless else found.reason)
