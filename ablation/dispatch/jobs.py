"""The jobs of a study's cells, as its plan says how they run."""

from collections.abc import Sequence

from ablation.attempt import Means
from ablation.cell import Cell
from ablation.dispatch.job import Job
from ablation.study import Plan


def jobs_of(plan: Plan, cells: Sequence[Cell]) -> list[Job]:
    """One job for each cell, in order."""
    cluster, logs = plan.execution.cluster, plan.folder / "logs"
    means = Means(cluster.micro_batch, cluster.checkpoint_s)
    return [
        Job(cell, cell.name, plan.store.root, logs / f"{cell.name}.log", cluster.threads_per_worker, means)
        for cell in cells
    ]
