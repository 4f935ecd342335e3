"""Who works on a stage, told so that another process can find out whether that one still lives.

A lease is broken on proof of death only: the process is gone from this machine, Slurm has started the same job again, or Slurm no
longer runs the job. Where nothing can be proved (another machine, no Slurm that answers), the caller watches the heartbeat.
"""

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_SQUEUE_TIMEOUT_S = 20
# A job in one of these states has a process; one that waits in the queue again has lost it.
_LIVE = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "CONFIGURING", "SIGNALING", "STAGE_OUT", "RESIZING")


@dataclass(frozen=True)
class Holder:
    """One attempt's process. `machine` names host, boot and process namespace, in which `pid` and `started` are unique.

    `job` is Slurm's ``JOB_INDEX`` in its `cluster`, `restart` how often Slurm has started it again.
    """

    attempt: str
    machine: str
    pid: int
    started: str
    job: str | None
    restart: int
    cluster: str | None = None

    @classmethod
    def here(cls, attempt: str) -> "Holder":
        """This process, under the name of its attempt."""
        job = os.environ.get("SLURM_ARRAY_JOB_ID")
        index = os.environ.get("SLURM_ARRAY_TASK_ID")
        named = f"{job}_{index}" if job and index else os.environ.get("SLURM_JOB_ID")
        restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        cluster = os.environ.get("SLURM_CLUSTER_NAME")
        return cls(attempt, _machine(), os.getpid(), _started(os.getpid()) or "", named, restart, cluster)

    @classmethod
    def parse(cls, text: str) -> "Holder":
        """Raises ValueError or TypeError on anything else than `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self)) + "\n"

    def is_process_of(self, other: "Holder") -> bool:
        """True when both were made in one process."""
        return replace(self, attempt=other.attempt) == other

    def is_gone(self, asking: "Holder") -> bool | None:
        """True when it can be proved dead or replaced, False when it lives, None when `asking` cannot tell."""
        if self.job and (self.job, self.cluster) == (asking.job, asking.cluster) and self.restart < asking.restart:
            return True
        if self.machine == asking.machine:
            return _started(self.pid) != self.started
        if asking.cluster and self.cluster and asking.cluster != self.cluster:
            return None  # the Slurm that answers here does not know its job
        return _slurm_has_ended(self.job) if self.job else None


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    parts = [boot.read_text().strip() if boot.exists() else "", str(space.readlink()) if space.is_symlink() else ""]
    return " ".join([platform.node(), *parts])


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (``/proc/PID/stat``, field 22); None when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _slurm_has_ended(job: str) -> bool | None:
    """None where Slurm does not show it: what it hides from us may well run."""
    command = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SQUEUE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if told.returncode:
        return True if "Invalid job id" in told.stderr else None
    states = told.stdout.split()
    return not any(state in _LIVE for state in states) if states else None
