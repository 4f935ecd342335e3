"""From groups to job arrays: pieces of a size that Slurm takes, who waits for whom, and what each sbatch file says."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ablation.config.cluster import JobPart, Resources, Slurm, unfit_for_slurm
from ablation.errors import ConfigProblems
from ablation.jobs.submit.resource_groups import CellGroup
from ablation.libraries import make_sbatch_string
from ablation.specs.base import digest
from ablation.specs.cell import Cell


@dataclass(frozen=True)
class Array:
    """One sbatch. `after` names the array whose task of the same index must succeed first, `gate` the canary that must."""

    name: str
    stage: JobPart
    resources: Resources
    tasks: tuple[tuple[Cell, ...], ...]
    after: str | None = None
    gate: str | None = None

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The names of the cells by task."""
        return tuple(tuple(cell.name for cell in task) for task in self.tasks)


@dataclass(frozen=True)
class Piece:
    """Arrays that are submitted together or not at all: the parts of some of a group's tasks."""

    arrays: tuple[Array, ...]

    @property
    def tasks(self) -> int:
        """How many places in the queue it takes."""
        return sum(len(array.tasks) for array in self.arrays)


def pieces(
    group: CellGroup, study: Path, nonce: int, canary: bool, largest: int, room: int, gate: str | None = None
) -> Iterator[Piece]:
    """The group cut into pieces of at most `largest` tasks an array while there is `room` in the queue, the canary first.

    A group of one task needs no canary, nor does one that has the `gate` of an earlier canary. Names are a function of the
    study's folder (another one may have a study of that name), `nonce` (how often it has submitted) and the cells.
    """
    left = group.tasks
    while left and room >= len(group.parts):
        is_canary = canary and gate is None and len(group.tasks) > 1
        count = 1 if is_canary else min(len(left), largest, room // len(group.parts))
        piece = _piece(group, left[:count], study, nonce, gate)
        yield piece
        gate = piece.arrays[-1].name if is_canary else gate
        left, room = left[count:], room - piece.tasks


def _piece(group: CellGroup, tasks: tuple[tuple[Cell, ...], ...], study: Path, nonce: int, gate: str | None) -> Piece:
    cells, place = [[cell.name for cell in task] for task in tasks], str(study.resolve())
    arrays: list[Array] = []
    for part in group.parts:
        name = f"ablation-{study.name[:40]}-{digest([place, nonce, part.stage, cells])[:10]}"
        after = arrays[-1].name if arrays else None
        arrays.append(Array(name, part.stage, part.resources, tasks, after, None if after else gate))
    return Piece(tuple(arrays))


@dataclass(frozen=True)
class ArrayFiles:
    """The files that an array's jobs work with: the list of tasks, the folder of logs, the copy of the code."""

    tasks: Path
    logs: Path
    code: Path


def sbatch_text(array: Array, cluster: Slurm, array_files: ArrayFiles, jobs: Mapping[str, str]) -> str:
    """The sbatch file of an array, rendered by submitit. `jobs` gives the ids of the arrays it waits for by name."""
    asked = array.resources
    processes = asked.nodes * asked.tasks_per_node
    python = [*cluster.prefix, cluster.python or sys.executable]
    text = make_sbatch_string(
        command=shlex.join([*python, "-m", "ablation.jobs.run.worker", "--tasks", str(array_files.tasks)]),
        folder=array_files.logs,
        job_name=array.name,
        comment=array.name,
        wckey="",
        partition=asked.partition,
        account=asked.account,
        qos=asked.qos,
        constraint=asked.constraint,
        exclude=asked.exclude,
        gpus_per_node=asked.gpus_per_node or None,
        cpus_per_task=asked.cpus_per_task,
        mem=f"{asked.mem_gb}GB" if asked.mem_gb else None,
        time=asked.timeout_min,
        # Slurm may send the signal up to a minute early, and at once where the limit is shorter than the notice.
        signal_delay_s=min(90, 15 * asked.timeout_min),
        nodes=asked.nodes,
        ntasks_per_node=asked.tasks_per_node,
        map_count=len(array.tasks),
        array_parallelism=cluster.array_parallelism,
        dependency=_dependency(array, jobs),
        stderr_to_stdout=True,
        additional_parameters={
            "requeue": True,
            "chdir": str(array_files.code),
            **({"kill-on-invalid-dep": "yes"} if array.after else {}),
        },
        # Since Slurm 22.05 a step does not inherit the CPUs of its job. One process that dies must not leave the others waiting.
        srun_args=[f"--cpus-per-task={asked.cpus_per_task}", *(["--kill-on-bad-exit=1"] if processes > 1 else [])],
        setup=[
            *cluster.setup,
            *(f"export {key}={shlex.quote(value)}" for key, value in _exports(cluster, array_files)),
        ],
    )
    # Not splitlines(), which would turn U+0085 or U+2028 inside a value into a line of the script.
    return "\n".join(line for line in text.rstrip("\n").split("\n") if not line.startswith("#SBATCH --wckey")) + "\n"


def _dependency(array: Array, jobs: Mapping[str, str]) -> str | None:
    kinds = {"aftercorr": array.after, "afterok": array.gate}
    return ",".join(f"{kind}:{jobs[name]}" for kind, name in kinds.items() if name) or None


def _exports(cluster: Slurm, array_files: ArrayFiles) -> Iterator[tuple[str, str]]:
    yield "PYTHONPATH", str(array_files.code)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        yield name, str(cluster.threads_per_worker)
    if cluster.hub_offline:
        yield "HF_HUB_OFFLINE", "1"


def array_files(study: Path, name: str, code: Path) -> ArrayFiles:
    """Where the files of an array of this study lie. Raises ConfigProblems on a path that cannot stand in an sbatch file."""
    whole = study.absolute()
    if unfit := unfit_for_slurm(whole):
        raise ConfigProblems([f"outputs: {unfit}"])
    return ArrayFiles(whole / "jobs" / f"{name}.tasks.json", whole / "logs", code.absolute())
