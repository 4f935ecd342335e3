"""The jobs of a study's cells, as its plan says how they run."""

from collections.abc import Sequence
from dataclasses import replace

from ablation.cell import Cell
from ablation.dispatch.job import Job
from ablation.study import Plan


def jobs_of(plan: Plan, cells: Sequence[Cell]) -> list[Job]:
    """One job for each cell, in order."""
    cluster, logs = plan.execution.cluster, plan.folder / "logs"
    keeps_base = cluster.keeps_base(len(cells))
    return [
        Job(
            cell,
            cell.name,
            plan.store.root,
            logs / f"{cell.name}.log",
            cluster.threads_per_worker,
            replace(cluster.means_for(cell.model.name), keeps_base=keeps_base),
            plan.execution.keep,
        )
        for cell in cells
    ]
