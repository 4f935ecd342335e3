"""Where cells run: local workers, or a Slurm cluster with its resources by stage and model.

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

Activations = Literal["auto", "keep", "recompute", "offload"]
# What may stand in an sbatch file: a newline, a quote or a semicolon in any of these would be run as shell code.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,:=&|\[\]*-]{0,127}$")]
# A line that the site's own shell runs as it stands. One line, and no directive of sbatch's.
ShellLine = Annotated[str, Field(pattern=r"^[^\s#\x00-\x1f\x7f][^\x00-\x08\x0a-\x1f\x7f]{0,4095}$")]
# A word of a command that is quoted for the shell.
Argument = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,1024}$")]
Glob = Annotated[str, Field(pattern=r"^[A-Za-z0-9._*?\[\]!-]{1,128}$")]
NonNegative = Annotated[int, Field(ge=0)]
JobPart = Literal["cell", "train", "evaluate"]


@dataclass(frozen=True)
class RuntimeOptions:
    """How a stage is carried out. None of it can change a number (the micro-batch may change the last bits of sums).

    `micro_batch` rows go through the model at once (None: the whole batch). A checkpoint is kept when `checkpoint_s` seconds
    have passed since the last one. The processes of a world share the model's states by ZeRO stage `zero` (0: each has all), with
    `offload` in the host's memory; `sequence_parallel` of them share the tokens of each example. `activations` are kept until the
    backward pass, recomputed layer by layer (so auto on a GPU), or recomputed from inputs that wait in the host's memory. With
    `keeps_base` the process keeps the base model in the host's memory for the next cell.
    """

    micro_batch: int | None = None
    checkpoint_s: float = 600.0
    zero: int = 0
    offload: bool = False
    sequence_parallel: int = 1
    activations: Activations = "auto"
    keeps_base: bool = False

    def groups(self, processes: int) -> int:
        """How many parts a batch is taken in by so many processes: those of a group work on the same examples."""
        return max(1, processes // self.sequence_parallel)


def unfit_for_slurm(path: Path) -> str | None:
    """Why this path cannot stand in an sbatch file; None when it can."""
    bad = sorted({repr(sign) for sign in str(path) if sign in "%\\" or not sign.isprintable()})
    return f"{str(path)!r} has {', '.join(bad)}, which Slurm reads as something else; move it" if bad else None


class Local(Spec):
    """Cells run on this machine. `workers` None takes one worker per `threads_per_worker` cores.

    `in_process` runs them one after the other in the command's own process; `debug` opens the debugger where a cell fails.
    `activations`: see `Resources`. With `share_base` a process that trains several cells reads their base model once, and keeps
    it in memory.
    """

    kind: Literal["local", "debug"]
    in_process: bool = False
    workers: Positive | None = None
    threads_per_worker: Positive = 1
    micro_batch: Positive | None = None
    checkpoint_s: Annotated[float, Field(ge=0)] = 600.0
    activations: Activations = "auto"
    share_base: bool = True

    def workers_for(self, jobs: int) -> int:
        """Workers as configured, or as many as the cores allow, and never more than jobs."""
        cores = len(os.sched_getaffinity(0))
        return max(1, min(jobs, self.workers or cores // self.threads_per_worker))

    def keeps_base(self, jobs: int) -> bool:
        """Whether a process keeps the base model for its next cell: where there is one."""
        return self.share_base and jobs > (1 if self.in_process else self.workers_for(jobs))

    def processes_for(self, model: str) -> int:
        """How many processes train one cell of this model together: here one does."""
        del model
        return 1

    def means_for(self, model: str) -> RuntimeOptions:
        """How the stages of a cell of this model are carried out."""
        del model
        return RuntimeOptions(self.micro_batch, self.checkpoint_s, activations=self.activations)


class Resources(Spec):
    """What one task of an array asks Slurm for; `timeout_min` holds for all cells that the task runs.

    `tasks_per_node` processes a node train one cell together, and share its model by ZeRO stage `zero` (0: each holds all of it),
    with `offload` in the host's memory; `sequence_parallel` of them share the tokens of each example. `activations` are kept
    until the backward pass, recomputed layer by layer (so `auto` on a GPU), or recomputed from inputs that wait in the host's
    memory (`offload`). `mem_gb` None and 0 GPUs leave the choice to the partition.
    """

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    exclude: Word | None = None
    nodes: Positive = 1
    tasks_per_node: Positive = 1
    gpus_per_node: NonNegative = 0
    cpus_per_task: Positive = 1
    mem_gb: Positive | None = None
    timeout_min: Positive = 60
    zero: Literal[0, 2, 3] = 0
    offload: bool = False
    sequence_parallel: Positive = 1
    activations: Activations = "auto"


class ResourceOverride(Resources):
    """Other resources for the cells of a model (a glob over its name) and a stage; only what is given is replaced."""

    stage: JobPart | None = None
    model: Glob | None = None

    @model_serializer(mode="wrap")
    def _as_given(self, whole: Callable[["ResourceOverride"], dict[str, Any]]) -> dict[str, Any]:
        """A field that was not given must not come back from a record as one that was."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}

    def fits(self, stage: JobPart, model: str) -> bool:
        """True when the rule speaks of this stage and model; one that names neither speaks of all."""
        return self.stage in (None, stage) and (self.model is None or fnmatchcase(model, self.model))

    def changes(self) -> dict[str, Any]:
        """The resources that it replaces."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"stage", "model"}}


class Slurm(Resources):
    """Cells run as tasks of Slurm job arrays. What is inherited are the resources where no rule says otherwise.

    `split` makes two arrays of training and evaluation; `cells_per_job` cells share a task, one after another, and with
    `share_base` the task reads their base model once, and keeps it in memory. `canary` runs the cheapest cell of an array before
    the rest; after `hold_after` failures of one class in a row the rest is held (0: never).
    A task asks Slurm `requeues` times to be started again, at its time limit or when preempted; a cell that failed of a class
    that may pass is submitted `retries` times again. `setup` holds the site's own shell lines, `prefix` the words before
    `python`, which None makes the interpreter that submits. A command that may use more than `budget_gpu_hours` asks first;
    a plan says whether training fits a GPU's `gpu_memory_gb`.
    """

    kind: Literal["slurm"]
    resources: tuple[ResourceOverride, ...] = ()
    array_parallelism: Positive = 64
    split: bool = False
    cells_per_job: Positive = 1
    canary: bool = True
    hold_after: NonNegative = 3
    requeues: NonNegative = 20
    retries: NonNegative = 2
    setup: tuple[ShellLine, ...] = ()
    prefix: tuple[Argument, ...] = ()
    python: Argument | None = None
    hub_offline: bool = True
    wait: bool = False
    budget_gpu_hours: Annotated[float, Field(ge=0)] = 100.0
    gpu_memory_gb: Annotated[float, Field(gt=0)] = 80.0
    threads_per_worker: Positive = 1
    micro_batch: Positive | None = None
    checkpoint_s: Annotated[float, Field(ge=0)] = 600.0
    share_base: bool = True

    def keeps_base(self, jobs: int) -> bool:
        """Whether a process keeps the base model for its next cell: where there is one."""
        return self.share_base and min(jobs, self.cells_per_job) > 1

    def resources_for(self, stage: JobPart, model: str) -> Resources:
        """The resources of a stage of a model's cells: ours, changed by each rule that fits, the later one last."""
        told = {name: getattr(self, name) for name in Resources.model_fields}
        for rule in self.resources:
            told |= rule.changes() if rule.fits(stage, model) else {}
        return Resources(**told)

    def processes_for(self, model: str) -> int:
        """How many processes train one cell of this model together."""
        asked = self._for_training(model)
        return asked.nodes * asked.tasks_per_node

    def means_for(self, model: str) -> RuntimeOptions:
        """How the stages of a cell of this model are carried out."""
        asked = self._for_training(model)
        return RuntimeOptions(
            self.micro_batch, self.checkpoint_s, asked.zero, asked.offload, asked.sequence_parallel, asked.activations
        )

    def _for_training(self, model: str) -> Resources:
        return self.resources_for("train" if self.split else "cell", model)


Cluster = Annotated[Local | Slurm, Field(discriminator="kind")]
