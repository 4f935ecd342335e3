"""No command spends more GPU-hours than it was given without somebody who says yes."""

import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from ablation.cell import Cell
from ablation.cluster import Slurm
from ablation.dispatch.states import cell_states
from ablation.errors import ConfigProblems
from ablation.planning.cost import gpu_hours
from ablation.planning.outlook import grouped
from ablation.store import Store
from ablation.terminal import agrees


def confirm(cells: Sequence[Cell], cluster: Slurm, store: Store, study: Path) -> None:
    """Return when the time limits of those cells that are not queued yet stay within the budget, or a person agrees.

    Raises ConfigProblems otherwise, naming the override that allows it.
    """
    if gpu_hours(grouped(cells, cluster, store)) <= cluster.budget_gpu_hours:
        return
    queued = {one.name for one in cell_states(cells, store, study) if one.state in ("queued", "running", "held")}
    cells = [cell for cell in cells if cell.name not in queued]
    asked = gpu_hours(grouped(cells, cluster, store))
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
