"""The whole outlook of a sweep, put together from its parts; nothing is made, and Slurm is not asked."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablation.config.cluster import Local, Slurm
from ablation.config.execution import Execution
from ablation.config.sweep.design import LeftOut
from ablation.data.download import Wanted, wanted
from ablation.data.source import is_pinned
from ablation.jobs.status.time_left import Left, seconds_left
from ablation.planning.confounds import Confound, comparison_warnings, find_confounds
from ablation.planning.cost import ArrayRequest, array_requests, gpus_and_cpus_per_cell, job_groups
from ablation.planning.disk import DiskNeeds, disk_needs
from ablation.planning.engines import engine_conflicts
from ablation.planning.fits import MemoryFit, memory_fits, models_without_gpu
from ablation.planning.lengths import corpus_facts
from ablation.planning.power import power_lines
from ablation.planning.retraining import Retraining, count_retraining
from ablation.planning.work import WorkCounts, read_progress
from ablation.specs.cell import Cell
from ablation.store.store import Store


@dataclass(frozen=True)
class Outlook:
    """What a sweep would do. `asks` are empty and `cores` count where it runs on this machine.

    `unread` are the corpora that were not read here yet; of the others, `unfilled` says which cells they cannot fill.
    """

    study: str
    work: WorkCounts
    left_out: dict[str, int]
    remarks: tuple[str, ...]
    asks: tuple[ArrayRequest, ...]
    left: Left | None
    gpus: int
    cores: int
    fits: tuple[MemoryFit, ...]
    disk: DiskNeeds
    retraining: Retraining
    power: tuple[str, ...]
    confounds: tuple[Confound, ...]
    unread: tuple[str, ...]
    unfilled: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def gpu_hours(self) -> float:
        """At most, when every task runs to its time limit once."""
        return sum(ask.gpu_hours for ask in self.asks)

    @property
    def cpu_hours(self) -> float:
        """At most, when every task runs to its time limit once."""
        return sum(ask.cpu_hours for ask in self.asks)

    def as_json(self) -> dict[str, Any]:
        """Everything, in plain values."""
        arrays = [
            {
                **asdict(ask),
                "resources": ask.resources.model_dump(),
                "gpu_hours": ask.gpu_hours,
                "cpu_hours": ask.cpu_hours,
            }
            for ask in self.asks
        ]
        at_most = {"gpu_hours": self.gpu_hours, "cpu_hours": self.cpu_hours}
        return {**asdict(self), "asks": arrays, "at_most": at_most}


def build_outlook(
    cells: Sequence[Cell], execution: Execution, left_out: Sequence[LeftOut] = (), remarks: Sequence[str] = ()
) -> Outlook:
    """Look at the store and at the base models' sizes; `cells` have their sources pinned."""
    outputs, cluster = Path(execution.outputs), execution.cluster
    store = Store(outputs / "store")
    stand = read_progress(cells, store)
    from_corpora = corpus_facts(cells, store)
    gpus, cores = gpus_and_cpus_per_cell(cluster) if isinstance(cluster, Slurm) else (0, cluster.threads_per_worker)
    return Outlook(
        study=execution.study,
        work=stand.work,
        left_out=dict(Counter(out.reason for out in left_out)),
        remarks=tuple(line for line in remarks if not any(out.reason in line for out in left_out)),
        asks=tuple(array_requests(job_groups(stand.missing, cluster, store))) if isinstance(cluster, Slurm) else (),
        left=seconds_left(stand.missing, stand.sampled, store),
        gpus=gpus,
        cores=cores,
        fits=tuple(memory_fits(stand.untrained, cluster)) if isinstance(cluster, Slurm) else (),
        disk=disk_needs(stand.untrained, cells_at_once(cluster), outputs, execution.keep),
        retraining=count_retraining(stand.missing, store),
        power=power_lines(cells) if cells else (),
        confounds=tuple(find_confounds(cells, from_corpora.lengths)),
        unread=from_corpora.unread,
        unfilled=from_corpora.unfilled,
        warnings=(
            *comparison_warnings(cells),
            *unpinned_sources(cells),
            *engine_conflicts(cells, store),
            *(models_without_gpu(stand.missing, cluster) if isinstance(cluster, Slurm) else ()),
        ),
    )


def unpinned_sources(cells: Sequence[Cell]) -> list[str]:
    """What a launch would refuse from here, as sentences: branches whose commit nobody can tell, folders yet to be made."""
    return [_unpinned(one) for one in wanted(cells) if not is_pinned(one.source)]


def _unpinned(one: Wanted) -> str:
    if one.is_yet_to_be_made:
        return f"{one.kind} {one.name}: yet to be made of {one.gguf}; type: ablation prefetch, and the same arguments"
    return (
        f"{one.kind} {one.name}: which commit {one.source.revision!r} is cannot be looked up here; a launch would be refused. "
        "Reach the hub, or give source.revision=COMMIT or source.path"
    )


def cells_at_once(cluster: Local | Slurm) -> int:
    """How many cells run at a time."""
    if isinstance(cluster, Slurm):
        return cluster.array_parallelism
    return cluster.workers or max(1, len(os.sched_getaffinity(0)) // cluster.threads_per_worker)
