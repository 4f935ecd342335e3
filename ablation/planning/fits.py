"""The memory that the cells' models take on the GPUs that they would train on, and what would make them fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ablation.config.cluster import Activations, JobPart, RuntimeOptions, Slurm
from ablation.planning.memory import GB, Footprint, footprint, parameters_of_shape
from ablation.planning.models import shape_of
from ablation.specs import Model, ModelShape, Train
from ablation.specs.cell import Cell

# From so many weights on, a job without a GPU is a mistake.
_FOR_A_GPU = 10**9


@dataclass(frozen=True)
class MemoryFit:
    """The memory that one kind of training takes on each GPU."""

    model: str
    method: str
    block_tokens: int
    processes: int
    means: RuntimeOptions
    """The options of the run. Named as in the JSON that `ablation plan` prints."""
    footprint: Footprint
    """In bytes."""
    gpu_memory_gb: float
    remedy: str | None
    """What would fit; None where it fits."""

    @property
    def fits(self) -> bool:
        """True when the sum is below the GPU's memory."""
        return self.footprint.total <= self.gpu_memory_gb * GB


def memory_fits(cells: Sequence[Cell], cluster: Slurm) -> list[MemoryFit]:
    """Return one for each kind of training that asks for GPUs, where the model's architecture is known."""
    fits: dict[tuple[Model, Train], MemoryFit] = {}
    for cell in cells:
        if cell.train is None or (cell.model, cell.train) in fits:
            continue
        resources = cluster.resources_for("train" if cluster.split else "cell", cell.model.name)
        shape = shape_of(cell.model)
        if shape and resources.gpus_per_node:
            fits[cell.model, cell.train] = _fit(cell.model, cell.train, shape, cluster)
    return list(fits.values())


def models_without_gpu(cells: Sequence[Cell], cluster: Slurm) -> list[str]:
    """Return a sentence for each model of a billion weights and more whose jobs ask for no GPU."""
    models = {cell.model.name: cell.model for cell in cells}
    parts: tuple[JobPart, ...] = ("train", "evaluate") if cluster.split else ("cell",)
    sentences = []
    for name, model in models.items():
        shape = shape_of(model)
        without_gpu = [part for part in parts if not cluster.resources_for(part, name).gpus_per_node]
        if shape and parameters_of_shape(shape) >= _FOR_A_GPU and without_gpu:
            sentences.append(
                f"{name}: {parameters_of_shape(shape) / 1e9:.1f} billion weights, and its jobs ({', '.join(without_gpu)}) "
                "ask for no GPU; give cluster.gpus_per_node, or a site's own file (see conf/cluster/example_site.yaml)"
            )
    return sentences


def _fit(model: Model, recipe: Train, shape: ModelShape, cluster: Slurm) -> MemoryFit:
    processes, options = cluster.processes_for(model.name), cluster.options_for(model.name)
    needed = footprint(shape, recipe, options, processes)
    is_too_much = needed.total > cluster.gpu_memory_gb * GB
    remedy = _remedy(shape, recipe, options, cluster.gpu_memory_gb) if is_too_much else None
    return MemoryFit(
        model.name, recipe.method, recipe.block_tokens, processes, options, needed, cluster.gpu_memory_gb, remedy
    )


def _remedy(shape: ModelShape, recipe: Train, options: RuntimeOptions, gpu_memory_gb: float) -> str:
    """Return the fewest GPUs on which it fits, with the smallest micro-batch and no more options than that takes."""
    process_counts = [count for count in range(1, recipe.batch + 1) if recipe.batch % count == 0]
    for processes in process_counts:
        for candidate in _options(replace(options, micro_batch=1, sequence_parallel=1), processes):
            if footprint(shape, recipe, candidate, processes).total <= gpu_memory_gb * GB:
                values = {"zero": candidate.zero, "activations": candidate.activations}
                overrides = [
                    f", cluster.{name}={value}"
                    for name, value in values.items()
                    if value != getattr(RuntimeOptions, name)
                ]
                return f"{processes} GPU{'s' if processes > 1 else ''} with cluster.micro_batch=1{''.join(overrides)}"
    return (
        "no number of GPUs up to train.batch: use train.method=lora, a shorter train.block_tokens, cluster.offload=true or "
        "cluster.sequence_parallel"
    )


def _options(options: RuntimeOptions, processes: int) -> Iterator[RuntimeOptions]:
    """Yield ways to share and to save memory, the simpler first."""
    kinds: tuple[Activations, ...] = (options.activations, "auto", "offload")
    for zero in (0, 2, 3) if processes > 1 else (0,):
        yield from (replace(options, zero=zero, activations=kind) for kind in dict.fromkeys(kinds))
