"""The jobs of a study's cells, as its plan says how they run."""

from collections.abc import Sequence

from ablation.cell import Cell
from ablation.dispatch.job import Job
from ablation.study import Plan


def jobs_of(plan: Plan, cells: Sequence[Cell]) -> list[Job]:
    """One job for each cell, in order."""
    cluster, logs = plan.execution.cluster, plan.folder / "logs"
    threads, drops = cluster.threads_per_worker, plan.execution.keep == "none"
    return [
        Job(
            cell,
            cell.name,
            plan.store.root,
            logs / f"{cell.name}.log",
            threads,
            cluster.means_for(cell.model.name),
            drops,
        )
        for cell in cells
    ]
