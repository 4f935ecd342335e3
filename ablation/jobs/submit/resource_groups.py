"""Which cells share an array: those that ask for equal resources, in tasks of equal make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ablation.config.cluster import JobPart, Resources, Slurm
from ablation.specs.cell import Cell


@dataclass(frozen=True)
class PartResources:
    """One array's share of a cell: all of it, its training, or its evaluation."""

    stage: JobPart
    resources: Resources


@dataclass(frozen=True)
class CellGroup:
    """Cells with equal resources. Each part becomes an array; task i of a later part follows task i of the one before.

    `tasks` are the cells that a task runs one after another. The cheapest comes first, as it can be the canary, and the others
    follow from the largest down, so that the last to end is a small one.
    """

    parts: tuple[PartResources, ...]
    tasks: tuple[tuple[Cell, ...], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, in the order of the tasks."""
        return tuple(cell for task in self.tasks for cell in task)


IsTrained = Callable[[Cell], bool]
Change = Callable[[Cell, Resources], Resources]


def group_by_resources(
    cells: Sequence[Cell], cluster: Slurm, is_trained: IsTrained, change: Change | None = None
) -> list[CellGroup]:
    """The cells by equal resources, in the order in which they come.

    `is_trained` tells the cells whose weights are published, which with `split` need no training array. `change` may replace the
    resources of a single cell, as a retry does.
    """
    by_parts: dict[tuple[PartResources, ...], list[Cell]] = {}
    for cell in cells:
        parts = tuple(_part(cell, stage, cluster, change) for stage in _stages(cell, cluster, is_trained))
        by_parts.setdefault(parts, []).append(cell)
    return [CellGroup(parts, _tasks(members, cluster.cells_per_job)) for parts, members in by_parts.items()]


def work_size(cell: Cell) -> tuple[float, int]:
    """Sorts cells by how long they will take: trajectories seen, then attempts."""
    return cell.train.examples_seen(cell.count.size) if cell.train else 0.0, cell.sample.n


def _stages(cell: Cell, cluster: Slurm, is_trained: IsTrained) -> tuple[JobPart, ...]:
    if not cluster.split:
        return ("cell",)
    return ("evaluate",) if cell.is_base or is_trained(cell) else ("train", "evaluate")


def _part(cell: Cell, stage: JobPart, cluster: Slurm, change: Change | None) -> PartResources:
    resources = cluster.resources_for(stage, cell.model.name)
    resources = change(cell, resources) if change else resources
    if stage == "evaluate" or cell.is_base:  # only training knows a world of several processes
        resources = resources.model_copy(update={"nodes": 1, "tasks_per_node": 1})
    return PartResources(stage, resources)


def _tasks(cells: Sequence[Cell], cells_per_task: int) -> tuple[tuple[Cell, ...], ...]:
    largest_first = sorted(cells, key=work_size, reverse=True)
    starts = range(0, len(largest_first), cells_per_task)
    tasks = [tuple(largest_first[start : start + cells_per_task]) for start in starts]
    return (tasks[-1], *tasks[:-1]) if tasks else ()
