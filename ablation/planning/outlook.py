"""The whole outlook of a sweep, put together from its parts. Nothing is made, and Slurm is not asked."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablation.config.cluster import Local, Slurm
from ablation.config.execution import Execution
from ablation.config.sweep.design import LeftOut
from ablation.data.download import RequiredSource, required_sources
from ablation.data.source import is_pinned
from ablation.jobs.status.time_left import TimeLeft, estimate_time_left
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
    """The facts of a sweep before it is launched."""

    study: str
    work: WorkCounts
    left_out: dict[str, int]
    """The number of points that are left out, by reason."""
    remarks: tuple[str, ...]
    """The other lines about the design."""
    asks: tuple[ArrayRequest, ...]
    """The job arrays; empty where the cells run on this machine."""
    left: TimeLeft | None
    """The time that is left by the pace of what has finished; None before anything has."""
    gpus: int
    """GPUs of a cell."""
    cores: int
    """CPUs of a cell; they count where it has no GPU."""
    fits: tuple[MemoryFit, ...]
    disk: DiskNeeds
    retraining: Retraining
    power: tuple[str, ...]
    """A line for each factor (see `power.power_lines`)."""
    confounds: tuple[Confound, ...]
    unread: tuple[str, ...]
    """The corpora that were not read here yet."""
    unfilled: tuple[str, ...]
    """A sentence for each reason why one of the other corpora cannot fill its cells."""
    warnings: tuple[str, ...]

    @property
    def gpu_hours(self) -> float:
        """The most GPU-hours, when every task runs to its time limit once."""
        return sum(request.gpu_hours for request in self.asks)

    @property
    def cpu_hours(self) -> float:
        """The most CPU-hours, when every task runs to its time limit once."""
        return sum(request.cpu_hours for request in self.asks)

    def as_json(self) -> dict[str, Any]:
        """Return everything in plain values."""
        requests = [
            {
                **asdict(request),
                "resources": request.resources.model_dump(),
                "gpu_hours": request.gpu_hours,
                "cpu_hours": request.cpu_hours,
            }
            for request in self.asks
        ]
        at_most = {"gpu_hours": self.gpu_hours, "cpu_hours": self.cpu_hours}
        return {**asdict(self), "asks": requests, "at_most": at_most}


def build_outlook(
    cells: Sequence[Cell], execution: Execution, left_out: Sequence[LeftOut] = (), remarks: Sequence[str] = ()
) -> Outlook:
    """Look at the store and at the base models' sizes. `cells` have their sources pinned."""
    outputs, cluster = Path(execution.outputs), execution.cluster
    slurm = cluster if isinstance(cluster, Slurm) else None
    store = Store(outputs / "store")
    progress = read_progress(cells, store)
    facts = corpus_facts(cells, store)
    gpus, cores = gpus_and_cpus_per_cell(cluster) if isinstance(cluster, Slurm) else (0, cluster.threads_per_worker)
    reasons = Counter(out.reason for out in left_out)
    return Outlook(
        study=execution.study,
        work=progress.work,
        left_out=dict(reasons),
        # What is left out is counted in a table of its own.
        remarks=tuple(line for line in remarks if not any(reason in line for reason in reasons)),
        asks=tuple(array_requests(job_groups(progress.missing, slurm, store))) if slurm else (),
        left=estimate_time_left(progress.missing, progress.sampled, store),
        gpus=gpus,
        cores=cores,
        fits=tuple(memory_fits(progress.untrained, slurm)) if slurm else (),
        disk=disk_needs(progress.untrained, cells_at_once(cluster), outputs, execution.keep),
        retraining=count_retraining(progress.missing, store),
        power=power_lines(cells) if cells else (),
        confounds=tuple(find_confounds(cells, facts.lengths)),
        unread=facts.unread,
        unfilled=facts.unfilled,
        warnings=(
            *comparison_warnings(cells),
            *unpinned_sources(cells),
            *engine_conflicts(cells, store),
            *(models_without_gpu(progress.missing, slurm) if slurm else ()),
        ),
    )


def unpinned_sources(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each source that a launch would refuse.

    That is a branch whose commit cannot be looked up here, or a folder that is yet to be made.
    """
    return [_unpinned_sentence(source) for source in required_sources(cells) if not is_pinned(source.source)]


def _unpinned_sentence(source: RequiredSource) -> str:
    if source.is_yet_to_be_made:
        return (
            f"{source.kind} {source.name}: yet to be made of {source.gguf}; "
            "type: ablation prefetch, and the same arguments"
        )
    return (
        f"{source.kind} {source.name}: which commit {source.source.revision!r} is cannot be looked up here; a launch would be "
        "refused. Reach the hub, or give source.revision=COMMIT or source.path"
    )


def cells_at_once(cluster: Local | Slurm) -> int:
    """Return the number of cells that run at a time."""
    if isinstance(cluster, Slurm):
        return cluster.array_parallelism
    return cluster.workers or max(1, len(os.sched_getaffinity(0)) // cluster.threads_per_worker)
