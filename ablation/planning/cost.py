"""What the missing cells may cost: the upper bound that Slurm is asked for, and the pace of what has finished."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablation.cluster import Resources, Slurm
from ablation.dispatch.groups import Group


@dataclass(frozen=True)
class Ask:
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


def asks(found: Sequence[Group]) -> list[Ask]:
    """Every array of these groups, before they are cut to what Slurm takes."""
    return [
        Ask(part.stage, len(group.cells), len(group.tasks), part.resources) for group in found for part in group.parts
    ]


def gpu_hours(found: Sequence[Group]) -> float:
    """The most GPU-hours that these groups can use without being started again: every task to its time limit."""
    return sum(ask.gpu_hours for ask in asks(found))


def per_cell(cluster: Slurm) -> tuple[int, int]:
    """GPUs and CPUs of a cell where no rule says otherwise."""
    return cluster.nodes * cluster.gpus_per_node, cluster.nodes * cluster.tasks_per_node * cluster.cpus_per_task
