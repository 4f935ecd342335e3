"""Where this process runs, as Slurm's variables tell: its task, how often it was started, and its part in a world of several."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

# Ports for the processes of one job to meet at: above the registered ones that daemons like, below where Linux takes its own.
_FIRST_PORT, _PORTS = 20000, 12000
_SCONTROL_TIMEOUT_S = 30


@dataclass(frozen=True)
class SlurmTask:
    """A task of an array. Outside Slurm the job is ``none``."""

    job: str
    index: int
    restart: int
    rank: int
    host: str

    @classmethod
    def of(cls, environment: Mapping[str, str], index: int | None = None) -> "SlurmTask":
        """Raises ValueError when no index is given and Slurm gives none."""
        told = environment.get("SLURM_ARRAY_TASK_ID") if index is None else str(index)
        if told is None:
            raise ValueError("outside a Slurm array; give --index")
        return cls(
            f"{environment.get('SLURM_ARRAY_JOB_ID', 'none')}_{told}",
            int(told),
            int(environment.get("SLURM_RESTART_COUNT", "0")),
            int(environment.get("SLURM_PROCID", "0")),
            environment.get("SLURMD_NODENAME", platform.node()),
        )

    def requeue(self) -> str | None:
        """Ask Slurm to start this task again; None when it will, else why not."""
        command = ["scontrol", "requeue", self.job]
        try:
            told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SCONTROL_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        return " ".join(told.stderr.split()) or "scontrol failed" if told.returncode else None

    def hold_array(self) -> None:
        """Ask Slurm to hold the tasks of this array that have not begun. Where it cannot, they find the marker instead."""
        command = ["scontrol", "uhold", self.job.partition("_")[0]]
        try:
            subprocess.run(command, capture_output=True, check=False, timeout=_SCONTROL_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            return


def world_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch.distributed and its users read, from Slurm's variables; empty where one process works alone.

    The batch script runs on the first node, where process 0 runs too, so srun's own address is where the others can reach it.
    """
    size = int(environment.get("SLURM_NTASKS", "1"))
    if size == 1 or "SLURM_PROCID" not in environment:
        return {}
    job = int(environment.get("SLURM_JOB_ID", "0"))
    return {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": environment.get("SLURM_LOCALID", "0"),
        "LOCAL_WORLD_SIZE": environment.get("SLURM_NTASKS_PER_NODE", "1"),
        "MASTER_ADDR": environment.get("SLURM_LAUNCH_NODE_IPADDR") or first_host(environment),
        "MASTER_PORT": str(_FIRST_PORT + job % _PORTS),
    }


def first_host(environment: Mapping[str, str]) -> str:
    """The first node of the job. Raises OSError or CalledProcessError where scontrol does not tell."""
    listed = ["scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]]
    told = subprocess.run(listed, capture_output=True, text=True, check=True, timeout=_SCONTROL_TIMEOUT_S)
    return told.stdout.split()[0]


def export_world_variables() -> None:
    """Tell torch.distributed, through the environment, which process of which world this is."""
    os.environ.update(world_variables(os.environ))
