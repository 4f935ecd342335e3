"""The place where cells run: local workers, or a Slurm cluster with its resources by stage and model.

Everything here is execution and stays out of a cell's key. Every value that reaches an sbatch file is checked here, so that none
can bring a line or a command of its own.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer

from ablation.specs import Positive
from ablation.specs.base import Spec

# What may stand in an sbatch file: a newline, a quote or a semicolon in any of these would be run as shell code.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,:=&|\[\]*-]{0,127}$")]
# A line that the site's own shell runs as it stands. One line, and no directive of sbatch's.
ShellLine = Annotated[str, Field(pattern=r"^[^\s#\x00-\x1f\x7f][^\x00-\x08\x0a-\x1f\x7f]{0,4095}$")]
# A word of a command that is quoted for the shell.
Argument = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,1024}$")]
Glob = Annotated[str, Field(pattern=r"^[A-Za-z0-9._*?\[\]!-]{1,128}$")]
NonNegative = Annotated[int, Field(ge=0)]
JobPart = Literal["cell", "train", "evaluate"]

# The keys that local workers and Slurm share, each with its bounds and its meaning. Their defaults are those of RuntimeOptions.
# They are not inherited: the fields of a base class come first, and the order of a class's fields is that of its records.
Activations = Annotated[
    Literal["auto", "keep", "recompute", "offload"],
    Field(
        description="Treatment of a layer's results until the backward pass. `keep` keeps them; `recompute` computes them again, "
        "as `auto` does on a GPU; `offload` does so too, from inputs that wait in the host's memory."
    ),
]
MicroBatch = Annotated[
    Positive | None,
    Field(
        description="Rows that go through the model at once in training. Null is the whole batch, or one row with train.packing."
    ),
]
CheckpointSeconds = Annotated[
    float,
    Field(ge=0, description="Seconds of training between checkpoints. A job that is killed repeats at most as much."),
]
ThreadsPerWorker = Annotated[Positive, Field(description="Threads that numerical libraries use in each process.")]
ShareBase = Annotated[
    bool,
    Field(
        description="Keep the base model in the host's memory for the next cell. A process then reads it once; "
        "false saves 4 bytes a parameter."
    ),
]


@dataclass(frozen=True)
class RuntimeOptions:
    """The means by which a stage is carried out. None can change a number; the micro-batch may change the last bits of sums."""

    micro_batch: int | None = None
    """Rows that go through the model at once; None is the whole batch."""
    checkpoint_s: float = 600.0
    """Seconds since the last checkpoint after which another one is kept."""
    zero: int = 0
    """ZeRO stage by which the processes of a world share the model's states. At 0 each process has all of them."""
    offload: bool = False
    """True where the states that ZeRO shares rest in the host's memory."""
    sequence_parallel: int = 1
    """Processes that share the tokens of each example."""
    activations: Activations = "auto"
    """Kept until the backward pass, recomputed layer by layer (so `auto` on a GPU), or recomputed from offloaded inputs."""
    keeps_base: bool = False
    """True where the process keeps the base model in the host's memory for its next cell."""

    def groups(self, processes: int) -> int:
        """Return the number of groups that the processes form. Those of a group work on the same examples."""
        return max(1, processes // self.sequence_parallel)


def unfit_for_slurm(path: Path) -> str | None:
    """Return the reason why this path cannot stand in an sbatch file; None when it can."""
    bad = sorted({repr(sign) for sign in str(path) if sign in "%\\" or not sign.isprintable()})
    return f"{str(path)!r} has {', '.join(bad)}, which Slurm reads as something else; move it" if bad else None


class Workplace(Spec):
    """The questions that are asked of every cluster before cells run there. A model is given by its name."""

    def keeps_base(self, jobs: int) -> bool:
        """Return True where a process that runs several of the jobs keeps the base model for its next cell."""
        raise NotImplementedError

    def processes_for(self, model: str) -> int:
        """Return the number of processes that train one cell of this model together."""
        raise NotImplementedError

    def options_for(self, model: str) -> RuntimeOptions:
        """Return the options with which the stages of a cell of this model are carried out."""
        raise NotImplementedError


class Local(Workplace):
    """Cells run on this machine."""

    kind: Literal["local", "debug"]
    """Kind of the cluster. ``debug`` opens the debugger where a cell fails."""
    in_process: bool = False
    """Run the cells one after another in the command's own process. Else workers run them."""
    workers: Positive | None = None
    """Processes that run cells at the same time. Null is one worker per `threads_per_worker` cores."""
    threads_per_worker: ThreadsPerWorker = 1
    micro_batch: MicroBatch = RuntimeOptions.micro_batch
    checkpoint_s: CheckpointSeconds = RuntimeOptions.checkpoint_s
    activations: Activations = RuntimeOptions.activations
    share_base: ShareBase = True

    def workers_for(self, jobs: int) -> int:
        """Return the workers as configured, or as many as the cores allow, and never more than jobs."""
        cores = len(os.sched_getaffinity(0))
        return max(1, min(jobs, self.workers or cores // self.threads_per_worker))

    def keeps_base(self, jobs: int) -> bool:
        return self.share_base and jobs > (1 if self.in_process else self.workers_for(jobs))

    def processes_for(self, _model: str) -> int:
        return 1

    def options_for(self, _model: str) -> RuntimeOptions:
        return RuntimeOptions(self.micro_batch, self.checkpoint_s, activations=self.activations)


class Resources(Spec):
    """The resources that one task of a job array asks Slurm for."""

    partition: Word | None = None
    """Partition of the cluster. Null is Slurm's default."""
    account: Word | None = None
    """Account that is charged. Null is Slurm's default."""
    qos: Word | None = None
    """Quality of service. Null is Slurm's default."""
    constraint: Word | None = None
    """Features that a node must have, in Slurm's notation."""
    exclude: Word | None = None
    """Nodes that are not used, in Slurm's notation."""
    nodes: Positive = 1
    """Nodes of one task."""
    tasks_per_node: Positive = 1
    """Processes on each node. More than one process in all train a cell together."""
    gpus_per_node: NonNegative = 0
    """GPUs on each node. 0 leaves the choice to the partition."""
    cpus_per_task: Positive = 1
    """CPUs of each process."""
    mem_gb: Positive | None = None
    """Memory of each node, in GB. Null leaves the choice to the partition."""
    timeout_min: Positive = 60
    """Time limit in minutes, for all cells that a task runs."""
    zero: Literal[0, 2, 3] = 0
    """ZeRO stage by which the processes that train a cell share its model.

    They share gradients and optimizer states at 2, and the weights too at 3. At 0 each holds all of it.
    """
    offload: bool = RuntimeOptions.offload
    """Let what ZeRO shares rest in the host's memory. It needs `zero`; true saves memory of the GPU, and takes time."""
    sequence_parallel: Positive = RuntimeOptions.sequence_parallel
    """Processes that share the tokens of each example. It needs `zero`, and divides the model's heads."""
    activations: Activations = RuntimeOptions.activations


class ResourceOverride(Resources):
    """Other resources for the cells of a model and a stage. Only the fields that are given replace others."""

    stage: JobPart | None = None
    """Part of a cell's work that the rule holds for. Null is every part."""
    model: Glob | None = None
    """Glob over the names of models that the rule holds for. Null is every model."""

    @model_serializer(mode="wrap")
    def _as_given(self, whole: Callable[["ResourceOverride"], dict[str, Any]]) -> dict[str, Any]:
        """Return only the fields that were given: the others must not come back from a record as if they were."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}

    def fits(self, stage: JobPart, model: str) -> bool:
        """Return True when the rule holds for this stage and model. A rule that names neither holds for all."""
        return self.stage in (None, stage) and (self.model is None or fnmatchcase(model, self.model))

    def changes(self) -> dict[str, Any]:
        """Return the resources that the rule replaces."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"stage", "model"}}


class Slurm(Workplace, Resources):
    """Cells run as tasks of Slurm job arrays. The inherited fields are the resources where no rule says otherwise."""

    kind: Literal["slurm"]
    """Kind of the cluster."""
    resources: tuple[ResourceOverride, ...] = ()
    """Rules that replace resources by stage and model. The last rule that fits wins."""
    array_parallelism: Positive = 64
    """Tasks of one array that run at the same time."""
    split: bool = False
    """Make two arrays of training and evaluation, each with its own resources."""
    cells_per_job: Positive = 1
    """Cells that one task runs, one after another, in one process. Raise it for many short cells."""
    canary: bool = True
    """Run the cheapest cell of an array before the others. They start when it is complete."""
    hold_after: NonNegative = 3
    """Failures in a row after which the rest of an array is held. They are of one class; 0 never holds."""
    requeues: NonNegative = 20
    """Times that a task asks to be started again. It asks at its time limit and when it is preempted."""
    retries: NonNegative = 2
    """Times that a cell is submitted again. They are counted for each class of failure that may pass."""
    setup: tuple[ShellLine, ...] = ()
    """Lines of shell that a job runs first, such as ``module load``."""
    prefix: tuple[Argument, ...] = ()
    """Words before the interpreter. Such words start a container."""
    python: Argument | None = None
    """Interpreter on the nodes. Null is the one that submits."""
    hub_offline: bool = True
    """Let jobs use no network for models and data. `ablation prefetch` downloads these before."""
    wait: bool = False
    """Stay until the study is over, and submit again what may be retried. Else the command ends when jobs are queued."""
    budget_gpu_hours: Annotated[float, Field(ge=0)] = 100.0
    """GPU-hours beyond which a launch asks first. The time limits are summed up."""
    gpu_memory_gb: Annotated[float, Field(gt=0)] = 80.0
    """Memory of each GPU, in GB. A plan says whether training fits."""
    threads_per_worker: ThreadsPerWorker = 1
    micro_batch: MicroBatch = RuntimeOptions.micro_batch
    checkpoint_s: CheckpointSeconds = RuntimeOptions.checkpoint_s
    share_base: ShareBase = True

    def keeps_base(self, jobs: int) -> bool:
        return self.share_base and min(jobs, self.cells_per_job) > 1

    def resources_for(self, stage: JobPart, model: str) -> Resources:
        """Return the resources of a stage of a model's cells: ours, changed by each rule that fits, the later one last."""
        values = {name: getattr(self, name) for name in Resources.model_fields}
        for rule in self.resources:
            values |= rule.changes() if rule.fits(stage, model) else {}
        return Resources(**values)

    def processes_for(self, model: str) -> int:
        resources = self._for_training(model)
        return resources.nodes * resources.tasks_per_node

    def options_for(self, model: str) -> RuntimeOptions:
        resources = self._for_training(model)
        return RuntimeOptions(
            self.micro_batch,
            self.checkpoint_s,
            resources.zero,
            resources.offload,
            resources.sequence_parallel,
            resources.activations,
        )

    def _for_training(self, model: str) -> Resources:
        return self.resources_for("train" if self.split else "cell", model)


Cluster = Annotated[Local | Slurm, Field(discriminator="kind")]
