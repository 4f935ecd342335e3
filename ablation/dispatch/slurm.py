"""Slurm's commands, each bounded in time and given a clean environment; and the sbatch file, a function from values to text."""

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.cluster import Slurm
from ablation.errors import AblationError, ConfigProblems

TIMEOUT_S = 60
# What a job may inherit. Keys stay out: Slurm keeps a job's environment as plain text, and nothing on a node needs one.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SLURM_CONF", "HF_HOME", "HF_HUB_OFFLINE")
# States after which Slurm itself will do nothing more.
_ENDED = ("FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "COMPLETED")


class SlurmUnreachable(AblationError):  # noqa: N818 a state of the world, not of the input
    """Slurm's commands are absent or do not answer: the state of its jobs is unknown, not failed."""

    exit_code = 3


@dataclass(frozen=True)
class Queued:
    """One array task in Slurm's queue; `reason` says why it waits."""

    state: str
    reason: str


def sbatch_text(cluster: Slurm, name: str, jobs: Path, count: int, logs: Path, code: Path, python: str) -> str:
    """The sbatch file of an array of `count` cells listed in `jobs`, run from the snapshot `code`. Rendered by submitit."""
    from submitit.slurm.slurm import _make_sbatch_string

    exports = {
        "PYTHONPATH": str(code),
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(cluster.threads_per_worker)),
    }
    text: str = _make_sbatch_string(
        command=shlex.join([python, "-m", "ablation.worker", "--jobs", str(jobs)]),
        folder=logs,
        job_name=name,
        comment=name,
        wckey="",
        partition=cluster.partition,
        account=cluster.account,
        qos=cluster.qos,
        constraint=cluster.constraint,
        gpus_per_node=cluster.gpus_per_node or None,
        cpus_per_task=cluster.cpus_per_task,
        mem=f"{cluster.mem_gb}GB" if cluster.mem_gb else None,
        time=cluster.timeout_min,
        nodes=1,
        ntasks_per_node=1,
        map_count=count,
        array_parallelism=cluster.array_parallelism,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True, "chdir": str(code)},
        setup=[*cluster.setup, *(f"export {key}={shlex.quote(value)}" for key, value in exports.items())],
    )
    return "\n".join(line for line in text.splitlines() if "--wckey" not in line) + "\n"


def submit(script: Path) -> str:
    """Hand a script to sbatch; the job id. Raises ConfigProblems with Slurm's own words when it refuses."""
    return _run(["sbatch", "--parsable", "--export=ALL", str(script)]).split(";")[0].strip()


def test_only(script: Path) -> None:
    """Ask Slurm whether it would take the script. Raises ConfigProblems with Slurm's own words when it would not."""
    _run(["sbatch", "--test-only", str(script)])


def queue() -> dict[str, Queued]:
    """My array tasks in the queue, by ``JOB_INDEX``. Raises SlurmUnreachable."""
    lines = _run(["squeue", "--me", "--noheader", "--array", "--format=%i|%T|%r"]).splitlines()
    parts = [line.split("|", 2) for line in lines if line.count("|") >= 2]
    return {job: Queued(state, reason) for job, state, reason in parts}


def queued_under(name: str) -> str | None:
    """The id of a queued or running job with this name, for adopting a submission whose answer was lost."""
    found = _run(["squeue", "--me", "--noheader", f"--name={name}", "--format=%A"]).split()
    return min(found, key=int) if found else None


def ended_states(jobs: Iterable[str]) -> dict[str, str]:
    """What accounting says of array tasks that left the queue; empty where there is no accounting."""
    wanted = ",".join(sorted(set(jobs)))
    if not wanted:
        return {}
    try:
        lines = _run(["sacct", "-X", "-n", "-P", "-j", wanted, "--format=JobID,State"]).splitlines()
    except (SlurmUnreachable, ConfigProblems):
        return {}
    pairs = [line.split("|", 1) for line in lines if "|" in line]
    return {job: state.split()[0] for job, state in pairs if state.startswith(_ENDED)}


def cancel(jobs: Sequence[str]) -> None:
    """Cancel array tasks by ``JOB_INDEX``; tasks that have ended are ignored by Slurm."""
    if jobs:
        _run(["scancel", *jobs])


def largest_array() -> int:
    """How many tasks an array may have here (MaxArraySize bounds the index, so the count too)."""
    for line in _run(["scontrol", "show", "config"]).splitlines():
        if line.startswith("MaxArraySize"):
            return int(line.split("=")[1])
    return 1001


def clean_environment() -> dict[str, str]:
    """The allow-listed part of this process's environment."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _run(command: Sequence[str]) -> str:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=clean_environment()
        )
    except FileNotFoundError as error:
        raise SlurmUnreachable(
            f"{command[0]} is not on this machine; run this on a login node of the cluster, or choose cluster=local"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SlurmUnreachable(
            f"{command[0]} did not answer within {TIMEOUT_S} s; nothing is lost, try again"
        ) from error
    if ended.returncode == 0:
        return ended.stdout
    words = " ".join(ended.stderr.split())
    if "Unable to contact slurm controller" in words or "Socket timed out" in words:
        raise SlurmUnreachable(f"{command[0]}: {words}; nothing is lost, try again")
    raise ConfigProblems([f"cluster: Slurm refuses: {words}"])
