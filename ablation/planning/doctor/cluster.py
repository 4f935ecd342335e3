"""Slurm: does it answer, and does it allow what the cells ask for?"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ablation.config.cluster import JobPart, Resources, Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm.queue_limits import read_queue_limits
from ablation.planning.doctor.check import Check, fail, ok, warn

_COMMANDS = ("sbatch", "squeue", "scontrol", "scancel")
_STAGES: tuple[JobPart, ...] = ("cell", "train", "evaluate")
_SITE = "correct the values in your conf/cluster/SITE.yaml"


@dataclass(frozen=True)
class Partition:
    """One partition, as `sinfo` shows it."""

    name: str
    is_default: bool
    limit_min: int | None
    """Time limit in minutes; None where it has none."""
    cpus: int
    """CPUs of its largest node."""
    nodes: int
    gpus: int
    """GPUs of the node with most of them."""


def checks(cluster: Slurm, models: Sequence[str]) -> Iterator[Check]:
    """Check everything that Slurm can be asked. Raises SlurmUnreachable when it does not answer."""
    absent = [command for command in _COMMANDS if shutil.which(command) is None]
    config = read_config(slurm.run(["scontrol", "show", "config"]))
    yield ok("Slurm", f"{config.get('ClusterName', '?')}, version {config.get('SLURM_VERSION', '?')}, answers")
    if absent:
        yield fail("Slurm commands", f"not on PATH: {', '.join(absent)}", "work on a login node of the cluster")
    yield from _limits(config)
    bound = read_queue_limits(cluster)
    yield ok("submit limit", f"{bound.queued:,} of your tasks at a time ({bound.named}), {bound.array:,} in one array")
    partitions = read_partitions(slurm.run(["sinfo", "--noheader", "--format=%P|%l|%c|%D|%G"]))
    for stage in _STAGES if cluster.split else _STAGES[:1]:
        for resources in dict.fromkeys(cluster.resources_for(stage, model) for model in models):
            yield from check_partitions(resources, partitions)
    yield from check_acceptance(cluster)


def read_config(text: str) -> dict[str, str]:
    """Return the lines ``Key = value`` of `scontrol show config` by their keys."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _limits(config: Mapping[str, str]) -> Iterator[Check]:
    limits = {name: config.get(name, "?") for name in ("MaxArraySize", "MaxJobCount")}
    yield ok(
        "queue limits", ", ".join(f"{name} {value}" for name, value in limits.items()) + "; larger studies go in waves"
    )
    mode, wait = config.get("PreemptMode", "?"), config.get("KillWait", "?")
    yield ok(
        "preemption", f"PreemptMode {mode}, KillWait {wait}; checkpoints every cluster.checkpoint_s bound what is lost"
    )
    requeue = config.get("JobRequeue", "1")
    if requeue == "0":
        yield warn(
            "requeue", "JobRequeue=0", "the jobs ask for it themselves; should they not come back, `ablation retry`"
        )
    if "none" in config.get("AccountingStorageType", "none"):
        yield warn(
            "accounting",
            "none: a job that left no record counts as lost",
            "nothing to do; `ablation retry` submits it again",
        )
    else:
        yield ok("accounting", config["AccountingStorageType"])


def read_partitions(text: str) -> list[Partition]:
    """Return the partitions in the lines of `sinfo --format=%P|%l|%c|%D|%G`.

    Each kind of node has a line of its own: ``gpu*|1-00:00:00|64|4|gpu:8`` are four nodes of the default partition `gpu`.
    """
    partitions: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 5:
            continue
        name = fields[0].rstrip("*")
        cpus, nodes, gpus = _number(fields[2]), _number(fields[3]), _gpus(fields[4])
        before = partitions.get(name, Partition(name, fields[0].endswith("*"), _minutes(fields[1]), 0, 0, 0))
        partitions[name] = Partition(
            name,
            before.is_default,
            before.limit_min,
            max(before.cpus, cpus),
            before.nodes + nodes,
            max(before.gpus, gpus),
        )
    return list(partitions.values())


def check_partitions(asked: Resources, partitions: Sequence[Partition]) -> Iterator[Check]:
    """Check that each partition has what a job asks for. A job that asks for more would wait in the queue for ever."""
    defaults = [partition.name for partition in partitions if partition.is_default]
    # Slurm takes a list of partitions, and starts the job in the first that has room: each must be able to run it.
    names = asked.partition.split(",") if asked.partition else defaults
    by_name = {partition.name: partition for partition in partitions}
    for name in names:
        if name not in by_name:
            yield fail(f"partition {name}", f"not here; there are: {', '.join(by_name) or 'none'}", _SITE)
            continue
        partition = by_name[name]
        lacks = list(_lacks(asked, partition))
        cpus = asked.cpus_per_task * asked.tasks_per_node
        request = f"{asked.nodes} nodes, {cpus} CPUs, {asked.gpus_per_node} GPUs, {asked.timeout_min} min"
        limit = partition.limit_min
        bound = "no time limit" if limit is None else f"at most {limit:,} min"
        has = f"{partition.nodes} nodes of up to {partition.cpus} CPUs and {partition.gpus} GPUs, {bound}"
        yield (
            fail(f"partition {name}", "; ".join(lacks), _SITE)
            if lacks
            else ok(f"partition {name}", f"takes {request}; it has {has}")
        )
    if not names:
        yield fail("partition", "none is given and the cluster has no default", "set cluster.partition")


def _lacks(asked: Resources, partition: Partition) -> Iterator[str]:
    """Yield a sentence for each thing that a partition has too little of."""
    if partition.limit_min is not None and asked.timeout_min > partition.limit_min:
        yield f"timeout_min {asked.timeout_min} is above its limit of {partition.limit_min}"
    for thing, wanted, has in (
        ("nodes", asked.nodes, partition.nodes),
        ("CPUs a node", asked.cpus_per_task * asked.tasks_per_node, partition.cpus),
        ("GPUs a node", asked.gpus_per_node, partition.gpus),
    ):
        if wanted > has:
            yield f"{wanted} {thing} are asked for, it has {has}"


def check_acceptance(cluster: Slurm) -> Iterator[Check]:
    """Ask Slurm itself about one task, by ``sbatch --test-only``."""
    words = ["sbatch", "--test-only", f"--time={cluster.timeout_min}", f"--cpus-per-task={cluster.cpus_per_task}"]
    options = {
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
    }
    flags = [f"--{name}={value}" for name, value in options.items() if value]
    size = [f"--mem={cluster.mem_gb}G"] if cluster.mem_gb else []
    try:
        slurm.run([*words, *flags, *size, "--wrap=true"])
    except ConfigProblems as refused:
        yield fail("sbatch --test-only", "; ".join(refused.problems), _SITE)
        return
    yield ok("sbatch --test-only", "accepts a job like ours")


def _minutes(text: str) -> int | None:
    """Return the minutes of ``2-12:00:00`` or ``30:00`` (minutes and seconds); None of ``infinite``."""
    if not any(sign.isdigit() for sign in text):
        return None
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes = (parts[0], parts[1]) if len(parts) == 3 else (0, parts[0])
    return int(days or 0) * 1440 + hours * 60 + minutes


def _gpus(text: str) -> int:
    """Return the GPUs in ``gpu:8`` or ``gpu:h100:8(S:0-1)``; 0 in ``(null)``."""
    bare = (part.partition("(")[0].split(":") for part in text.split(",") if part.startswith("gpu"))
    return sum(_number(parts[-1]) for parts in bare)


def _number(text: str) -> int:
    digits = text.rstrip("+")
    return int(digits) if digits.isdigit() else 0
