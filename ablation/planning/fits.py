"""Whether the cells' models fit the GPUs that they would train on, and what would make them fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ablation.config.cluster import Activations, JobPart, RuntimeOptions, Slurm
from ablation.planning.memory import GB, Footprint, footprint, parameters_of_shape
from ablation.planning.models import shape_of
from ablation.specs import Model, ModelShape, Train
from ablation.specs.cell import Cell

# From so many weights on nobody means to train or sample without a GPU.
_FOR_A_GPU = 10**9


@dataclass(frozen=True)
class MemoryFit:
    """The memory that training one kind of cell takes on each GPU, in bytes; `remedy` is what would fit where it does not."""

    model: str
    method: str
    block_tokens: int
    processes: int
    means: RuntimeOptions
    footprint: Footprint
    gpu_memory_gb: float
    remedy: str | None

    @property
    def fits(self) -> bool:
        """True when the sum is below the GPU's memory."""
        return self.footprint.total <= self.gpu_memory_gb * GB


def memory_fits(cells: Sequence[Cell], cluster: Slurm) -> list[MemoryFit]:
    """One for each kind of training that asks for GPUs, where the model's architecture is known."""
    found: dict[tuple[Model, Train], MemoryFit] = {}
    for cell in cells:
        if cell.train is None or (cell.model, cell.train) in found:
            continue
        asked = cluster.resources_for("train" if cluster.split else "cell", cell.model.name)
        shape = shape_of(cell.model)
        if shape and asked.gpus_per_node:
            found[cell.model, cell.train] = _fit(cell.model, cell.train, shape, cluster)
    return list(found.values())


def models_without_gpu(cells: Sequence[Cell], cluster: Slurm) -> list[str]:
    """A sentence for each model of a billion weights and more whose jobs ask for no GPU."""
    models = {cell.model.name: cell.model for cell in cells}
    stages: tuple[JobPart, ...] = ("train", "evaluate") if cluster.split else ("cell",)
    found = []
    for name, model in models.items():
        shape = shape_of(model)
        idle = [stage for stage in stages if not cluster.resources_for(stage, name).gpus_per_node]
        if shape and parameters_of_shape(shape) >= _FOR_A_GPU and idle:
            found.append(
                f"{name}: {parameters_of_shape(shape) / 1e9:.1f} billion weights, and its jobs ({', '.join(idle)}) ask for no "
                "GPU; give cluster.gpus_per_node, or a site's own file (see conf/cluster/example_site.yaml)"
            )
    return found


def _fit(model: Model, recipe: Train, shape: ModelShape, cluster: Slurm) -> MemoryFit:
    processes, means = cluster.processes_for(model.name), cluster.means_for(model.name)
    told = footprint(shape, recipe, means, processes)
    too_much = told.total > cluster.gpu_memory_gb * GB
    remedy = _remedy(shape, recipe, means, cluster.gpu_memory_gb) if too_much else None
    return MemoryFit(
        model.name, recipe.method, recipe.block_tokens, processes, means, told, cluster.gpu_memory_gb, remedy
    )


def _remedy(shape: ModelShape, recipe: Train, means: RuntimeOptions, gpu_memory_gb: float) -> str:
    """The fewest GPUs on which it fits, with the smallest micro-batch and no more means than it takes."""
    sizes = [size for size in range(1, recipe.batch + 1) if recipe.batch % size == 0]
    for processes in sizes:
        for asked in _ways(replace(means, micro_batch=1, sequence_parallel=1), processes):
            if footprint(shape, recipe, asked, processes).total <= gpu_memory_gb * GB:
                named = {"zero": asked.zero, "activations": asked.activations}
                differing = [
                    f", cluster.{name}={value}"
                    for name, value in named.items()
                    if value != getattr(RuntimeOptions, name)
                ]
                return f"{processes} GPU{'s' if processes > 1 else ''} with cluster.micro_batch=1{''.join(differing)}"
    return (
        "no number of GPUs up to train.batch: use train.method=lora, a shorter train.block_tokens, cluster.offload=true or "
        "cluster.sequence_parallel"
    )


def _ways(means: RuntimeOptions, processes: int) -> Iterator[RuntimeOptions]:
    """The simpler first."""
    kinds: tuple[Activations, ...] = (means.activations, "auto", "offload")
    for zero in (0, 2, 3) if processes > 1 else (0,):
        yield from (replace(means, zero=zero, activations=kind) for kind in dict.fromkeys(kinds))
