"""Slurm: whether it answers, what it allows, and whether it allows what is asked for."""

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
    """What `sinfo` says of one partition: its time limit in minutes (None: none), and the CPUs and GPUs of its largest node."""

    name: str
    is_default: bool
    limit_min: int | None
    cpus: int
    nodes: int
    gpus: int


def checks(cluster: Slurm, models: Sequence[str]) -> Iterator[Check]:
    """Everything that Slurm tells. Raises SlurmUnreachable when it does not answer."""
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
        for asked in dict.fromkeys(cluster.resources_for(stage, model) for model in models):
            yield from check_partitions(asked, partitions)
    yield from check_acceptance(cluster)


def read_config(text: str) -> dict[str, str]:
    """The lines ``Key = value`` of `scontrol show config`."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _limits(config: Mapping[str, str]) -> Iterator[Check]:
    told = {name: config.get(name, "?") for name in ("MaxArraySize", "MaxJobCount")}
    yield ok(
        "queue limits", ", ".join(f"{name} {value}" for name, value in told.items()) + "; larger studies go in waves"
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
    """The lines of `sinfo --format=%P|%l|%c|%D|%G`, those of one partition taken together."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 5:
            continue
        name = fields[0].rstrip("*")
        cpus, nodes, gpus = _number(fields[2]), _number(fields[3]), _gpus(fields[4])
        before = found.get(name, Partition(name, fields[0].endswith("*"), _minutes(fields[1]), 0, 0, 0))
        found[name] = Partition(
            name,
            before.is_default,
            before.limit_min,
            max(before.cpus, cpus),
            before.nodes + nodes,
            max(before.gpus, gpus),
        )
    return list(found.values())


def check_partitions(asked: Resources, partitions: Sequence[Partition]) -> Iterator[Check]:
    """Whether a partition has what a job asks for: what it lacks would wait in the queue for ever."""
    names = asked.partition.split(",") if asked.partition else [one.name for one in partitions if one.is_default]
    known = {one.name: one for one in partitions}
    for name in names:
        if name not in known:
            yield fail(f"partition {name}", f"not here; there are: {', '.join(known) or 'none'}", _SITE)
            continue
        lacks = list(_lacks(asked, known[name]))
        cpus = asked.cpus_per_task * asked.tasks_per_node
        told = f"{asked.nodes} nodes, {cpus} CPUs, {asked.gpus_per_node} GPUs, {asked.timeout_min} min"
        limit = known[name].limit_min
        bound = "no time limit" if limit is None else f"at most {limit:,} min"
        has = f"{known[name].nodes} nodes of up to {known[name].cpus} CPUs and {known[name].gpus} GPUs, {bound}"
        yield (
            fail(f"partition {name}", "; ".join(lacks), _SITE)
            if lacks
            else ok(f"partition {name}", f"takes {told}; it has {has}")
        )
    if not names:
        yield fail("partition", "none is given and the cluster has no default", "set cluster.partition")


def _lacks(asked: Resources, there: Partition) -> Iterator[str]:
    if there.limit_min is not None and asked.timeout_min > there.limit_min:
        yield f"timeout_min {asked.timeout_min} is above its limit of {there.limit_min}"
    for what, wanted, has in (
        ("nodes", asked.nodes, there.nodes),
        ("CPUs a node", asked.cpus_per_task * asked.tasks_per_node, there.cpus),
        ("GPUs a node", asked.gpus_per_node, there.gpus),
    ):
        if wanted > has:
            yield f"{wanted} {what} are asked for, it has {has}"


def check_acceptance(cluster: Slurm) -> Iterator[Check]:
    """Slurm's own word on one task, as sbatch would say it."""
    words = ["sbatch", "--test-only", f"--time={cluster.timeout_min}", f"--cpus-per-task={cluster.cpus_per_task}"]
    options = {
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value]
    size = [f"--mem={cluster.mem_gb}G"] if cluster.mem_gb else []
    try:
        slurm.run([*words, *given, *size, "--wrap=true"])
    except ConfigProblems as refused:
        yield fail("sbatch --test-only", "; ".join(refused.problems), _SITE)
        return
    yield ok("sbatch --test-only", "accepts a job like ours")


def _minutes(text: str) -> int | None:
    """``2-12:00:00``, ``30:00`` (minutes), ``infinite``."""
    if not any(sign.isdigit() for sign in text):
        return None
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes = (parts[0], parts[1]) if len(parts) == 3 else (0, parts[0])
    return int(days or 0) * 1440 + hours * 60 + minutes


def _gpus(text: str) -> int:
    """``gpu:8``, ``gpu:h100:8(S:0-1)``, ``(null)``."""
    bare = (part.partition("(")[0].split(":") for part in text.split(",") if part.startswith("gpu"))
    return sum(_number(parts[-1]) for parts in bare)


def _number(text: str) -> int:
    digits = text.rstrip("+")
    return int(digits) if digits.isdigit() else 0
