"""Slurm's commands, each bounded in time and given a clean environment."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.environment import JOBS
from ablation.errors import AblationError, ConfigProblems

TIMEOUT_S = 60
_QUEUE_LINE = re.compile(r"(\d+(?:[_+][^|]*)?)\|([A-Z_]+)\|([^|]*)\|(.*)")
_NO_ANSWER = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "slurmctld is down",
    "Zero Bytes were transmitted or received",
    "Protocol authentication error",
    "Invalid authentication credential",
    "Communication connection failure",
    "Unexpected message received",
    "Transport endpoint is not connected",
)
# Commands that only ask: nothing that they are given is refused, so whatever is wrong is not the user's.
_ASKING = ("squeue", "sinfo", "sacct", "sacctmgr")
# Words with which sbatch says that a limit on queued jobs is reached; it is a matter of waiting. At MaxJobCount it tries again by
# itself for longer than we wait for it.
_NO_ROOM = re.compile(r"[Rr]esource temporarily unavailable|temporarily unable to accept job|(Assoc|QOS)\w*SubmitJob")
# Nodes in these states take no jobs now, and may later.
_AWAY = "drain,down,fail,maint,unknown,no_respond"
# Words with which `sbatch --test-only` says that no node could take the job now; whether one ever could they do not say.
_FOR_NOW = re.compile(r"node configuration is not available|[Nn]ode not available|nodes are busy")
# States after which Slurm itself will do nothing more.
_ENDED = (
    "FAILED",
    "TIMEOUT",
    "CANCELLED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "BOOT_FAIL",
    "DEADLINE",
    "PREEMPTED",
    "COMPLETED",
)


class SlurmUnreachable(AblationError):  # noqa: N818 a state of the world, not of the input
    """Slurm's commands are absent or do not answer: the state of its jobs is unknown, not failed."""

    exit_code = 3


class NoRoom(AblationError):  # noqa: N818 nothing is wrong; there will be room
    """Slurm takes no more jobs for now: a limit on how many may be queued is reached."""


@dataclass(frozen=True)
class QueuedTask:
    """One array task in Slurm's queue; `reason` says why it waits, `name` is the array's."""

    state: str
    reason: str
    name: str = ""


@dataclass(frozen=True)
class AccountedTask:
    """What accounting says of a task that has ended; `nodes` is where it ran, in Slurm's notation."""

    state: str
    nodes: str


def submit(script: Path) -> str:
    """Hand a script to sbatch; the job id. Raises as `run` does.

    After any of them, and after a reply that is no id, the job may be in the queue all the same.
    """
    told = run(["sbatch", "--parsable", "--export=ALL", str(script)]).split(";")[0].strip()
    if not told.isdigit():
        raise SlurmUnreachable(f"sbatch answered {told[:80]!r} instead of a job id; nothing is lost, try again")
    return told


def test_only(script: Path) -> None:
    """Ask Slurm whether it would take the script. Raises ConfigProblems with Slurm's own words when it would not.

    While nodes are drained or down it says no, in the same words, to what they could run later; that may go to the queue.
    """
    try:
        run(["sbatch", "--test-only", str(script)])
    except ConfigProblems as refusal:
        if not (_FOR_NOW.search(str(refusal)) and run(["sinfo", "--noheader", f"--states={_AWAY}", "--format=%N"])):
            raise


def queue() -> dict[str, QueuedTask]:
    """My array tasks in the queue, by ``JOB_INDEX``. Raises SlurmUnreachable, also when what comes back is no queue."""
    lines = run(["squeue", "--me", "--noheader", "--array", "--format=%i|%T|%r|%j"]).splitlines()
    found = [_QUEUE_LINE.fullmatch(line) for line in lines]
    if not all(found):
        raise SlurmUnreachable(f"squeue told something that is not a queue: {lines[found.index(None)][:80]!r}")
    return {match[1]: QueuedTask(match[2], match[3], match[4]) for match in found if match}


def queued_tasks(names: Mapping[str, str]) -> dict[str, QueuedTask]:
    """Those of these tasks, by ``JOB_INDEX``, that are in the queue under the name of their array. Raises as `queue` does.

    A controller that lost its state gives the same numbers to other jobs.
    """
    return {task: one for task, one in queue().items() if names.get(task) == one.name}


def find_job(name: str) -> str | None:
    """The id of a queued or running job with this name, for adopting a submission whose answer was lost."""
    # %F, the array's id: %A is that of each task, and the array's own is not among them once its last task has ended.
    found = run(["squeue", "--me", "--noheader", f"--name={name}", "--format=%F"]).split()
    return min(found, key=int) if found else None


def accounted_tasks(names: Mapping[str, str]) -> dict[str, AccountedTask]:
    """What accounting says of array tasks that left the queue, given the names of their arrays; empty without accounting."""
    arrays = ",".join(sorted({task.partition("_")[0] for task in names}))
    if not arrays:
        return {}
    try:
        lines = run(["sacct", "-X", "-n", "-P", "-j", arrays, "--format=JobID,State,NodeList,JobName"]).splitlines()
    except SlurmUnreachable:
        return {}
    told = [line.split("|") for line in lines if line.count("|") == 3]
    return {
        task: AccountedTask(state.split()[0], nodes)
        for jobs, state, nodes, name in told
        if state.startswith(_ENDED)
        for task in expand_task_ids(jobs)
        if names.get(task) == name
    }


def expand_task_ids(jobs: str) -> list[str]:
    """The tasks that Slurm writes as one, such as ``7_[0-2,5%4]``."""
    array, _, listed = jobs.partition("_[")
    if not listed:
        return [jobs]
    spans = [part.partition("-") for part in listed.rstrip("]").partition("%")[0].split(",")]
    return [
        f"{array}_{index}"
        for first, _, last in spans
        if first.isdigit()
        for index in range(int(first), int(last or first) + 1)
    ]


def cancel(jobs: Sequence[str]) -> None:
    """Cancel array tasks by ``JOB_INDEX``; tasks that have ended are ignored by Slurm."""
    if jobs:
        run(["scancel", *jobs])


def hold(tasks: Sequence[str]) -> None:
    """Keep pending tasks or arrays from starting, as their user and not as an administrator; what runs goes on."""
    if tasks:
        run(["scontrol", "uhold", *tasks])


def release(tasks: Sequence[str]) -> None:
    """Let held tasks or arrays start."""
    if tasks:
        run(["scontrol", "release", *tasks])


def clean_environment() -> dict[str, str]:
    """The allow-listed part of this process's environment."""
    return {name: os.environ[name] for name in JOBS if name in os.environ}


def run(command: Sequence[str]) -> str:
    """What the command prints. Raises SlurmUnreachable, NoRoom, or ConfigProblems with Slurm's own words."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=clean_environment()
        )
    except FileNotFoundError as error:
        raise SlurmUnreachable(
            f"{command[0]} is not on this machine; run this on a login node of the cluster, or choose cluster=local"
        ) from error
    except subprocess.TimeoutExpired as error:
        said = " ".join((error.stderr or b"").decode(errors="replace").split())
        if command[0] == "sbatch" and _NO_ROOM.search(said):
            raise NoRoom(said) from error
        raise SlurmUnreachable(
            f"{command[0]} did not answer within {TIMEOUT_S} s; nothing is lost, try again"
        ) from error
    if ended.returncode == 0:
        return ended.stdout
    words = " ".join(ended.stderr.split())
    if command[0] == "sbatch" and _NO_ROOM.search(words):
        raise NoRoom(words)
    if command[0] in _ASKING or any(told in words for told in _NO_ANSWER):
        raise SlurmUnreachable(f"{command[0]}: {words}; nothing is lost, try again")
    hint = " (`ablation doctor` with the same values says what its partitions have)" if command[0] == "sbatch" else ""
    raise ConfigProblems([f"cluster: Slurm refuses: {words}{hint}"])
