"""What the missing cells may cost: the upper bound that Slurm is asked for, and the pace of what has finished."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from ablation.config.cluster import Resources, Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.status.states import cell_states
from ablation.jobs.submit.groups import Group, groups
from ablation.specs.cell import Cell
from ablation.store.store import Store
from ablation.terminal import agrees


@dataclass(frozen=True)
class ArrayRequest:
    """One array as it would be asked for: `tasks` jobs for `cells` cells, each with these resources."""

    stage: str
    cells: int
    tasks: int
    resources: Resources

    @property
    def gpu_hours(self) -> float:
        """Time limit × GPUs × tasks."""
        return self.resources.timeout_min / 60 * self.resources.nodes * self.resources.gpus_per_node * self.tasks

    @property
    def cpu_hours(self) -> float:
        """Time limit × CPUs × tasks."""
        asked = self.resources
        return asked.timeout_min / 60 * asked.nodes * asked.tasks_per_node * asked.cpus_per_task * self.tasks


def array_requests(found: Sequence[Group]) -> list[ArrayRequest]:
    """Every array of these groups, before they are cut to what Slurm takes."""
    return [
        ArrayRequest(part.stage, len(group.cells), len(group.tasks), part.resources)
        for group in found
        for part in group.parts
    ]


def gpu_hours(found: Sequence[Group]) -> float:
    """The most GPU-hours that these groups can use without being started again: every task to its time limit."""
    return sum(ask.gpu_hours for ask in array_requests(found))


def gpus_and_cpus_per_cell(cluster: Slurm) -> tuple[int, int]:
    """GPUs and CPUs of a cell where no rule says otherwise."""
    return cluster.nodes * cluster.gpus_per_node, cluster.nodes * cluster.tasks_per_node * cluster.cpus_per_task


def job_groups(cells: Sequence[Cell], cluster: Slurm, store: Store) -> list[Group]:
    """The cells as they would be submitted."""
    return groups(cells, cluster, lambda cell: store.is_complete(cell.folders["train"]))


def confirm_budget(cells: Sequence[Cell], cluster: Slurm, store: Store, study: Path) -> None:
    """Return when the time limits of those cells that are not queued yet stay within the budget, or a person agrees.

    Raises ConfigProblems otherwise, naming the override that allows it.
    """
    if gpu_hours(job_groups(cells, cluster, store)) <= cluster.budget_gpu_hours:
        return
    queued = {one.name for one in cell_states(cells, store, study) if one.state in ("queued", "running", "held")}
    cells = [cell for cell in cells if cell.name not in queued]
    asked = gpu_hours(job_groups(cells, cluster, store))
    if asked <= cluster.budget_gpu_hours:
        return
    told = (
        f"{len(cells)} cells may use up to {asked:,.0f} GPU-hours, more than cluster.budget_gpu_hours="
        f"{cluster.budget_gpu_hours:g}"
    )
    if sys.stdin.isatty() and sys.stdout.isatty():
        if agrees(f"{told}; submit? [y/N] "):
            return
        raise ConfigProblems([f"cluster.budget_gpu_hours: {told}, and the answer was no"])
    raise ConfigProblems([f"{told}; to submit them type cluster.budget_gpu_hours={ceil(asked)}"])
