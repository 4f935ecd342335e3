"""The upper bound of what the missing cells may cost: the time limits that Slurm is asked for."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from ablation.config.cluster import Resources, Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.status.states import cell_states
from ablation.jobs.submit.resource_groups import CellGroup, group_by_resources
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState, StageName
from ablation.store.store import Store
from ablation.terminal import ask_yes_or_no


@dataclass(frozen=True)
class ArrayRequest:
    """One job array as Slurm would be asked for it."""

    stage: str
    cells: int
    tasks: int
    resources: Resources
    """The resources of each task."""

    @property
    def gpu_hours(self) -> float:
        """Time limit × GPUs × tasks."""
        return self.resources.timeout_min / 60 * self.resources.nodes * self.resources.gpus_per_node * self.tasks

    @property
    def cpu_hours(self) -> float:
        """Time limit × CPUs × tasks."""
        cpus_per_node = self.resources.tasks_per_node * self.resources.cpus_per_task
        return self.resources.timeout_min / 60 * self.resources.nodes * cpus_per_node * self.tasks


def array_requests(job_groups: Sequence[CellGroup]) -> list[ArrayRequest]:
    """Return every array of these groups, before it is cut to what Slurm takes."""
    return [
        ArrayRequest(part.stage, len(group.cells), len(group.tasks), part.resources)
        for group in job_groups
        for part in group.parts
    ]


def gpu_hours(job_groups: Sequence[CellGroup]) -> float:
    """Return the most GPU-hours that these groups can use when no task is started again: every task to its time limit."""
    return sum(request.gpu_hours for request in array_requests(job_groups))


def gpus_and_cpus_per_cell(cluster: Slurm) -> tuple[int, int]:
    """Return the GPUs and the CPUs of a cell where no rule of ``cluster.resources`` says otherwise."""
    return cluster.nodes * cluster.gpus_per_node, cluster.nodes * cluster.tasks_per_node * cluster.cpus_per_task


def job_groups(cells: Sequence[Cell], cluster: Slurm, store: Store) -> list[CellGroup]:
    """Return the cells in the groups in which they would be submitted."""
    return group_by_resources(cells, cluster, lambda cell: store.is_complete(cell.folders[StageName.TRAIN]))


def confirm_budget(cells: Sequence[Cell], cluster: Slurm, store: Store, study: Path) -> None:
    """Return when the cells that are not queued yet stay within ``cluster.budget_gpu_hours``, or a person agrees.

    Raises ConfigProblems otherwise, naming the override that allows it.
    """
    # Most launches are small: Slurm is asked only when all cells together exceed the budget.
    if gpu_hours(job_groups(cells, cluster, store)) <= cluster.budget_gpu_hours:
        return
    in_queue = (CellState.QUEUED, CellState.RUNNING, CellState.HELD)
    queued = {status.name for status in cell_states(cells, store, study) if status.state in in_queue}
    new_cells = [cell for cell in cells if cell.name not in queued]
    hours = gpu_hours(job_groups(new_cells, cluster, store))
    if hours <= cluster.budget_gpu_hours:
        return
    excess = (
        f"{len(new_cells)} cells may use up to {hours:,.0f} GPU-hours, more than cluster.budget_gpu_hours="
        f"{cluster.budget_gpu_hours:g}"
    )
    # A question that nobody can see or answer would hang the command.
    if sys.stdin.isatty() and sys.stdout.isatty():
        if ask_yes_or_no(f"{excess}; submit? [y/N] "):
            return
        raise ConfigProblems([f"cluster.budget_gpu_hours: {excess}, and the answer was no"])
    raise ConfigProblems([f"{excess}; to submit them type cluster.budget_gpu_hours={ceil(hours)}"])
