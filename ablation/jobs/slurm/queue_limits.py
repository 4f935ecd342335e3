"""How many tasks Slurm takes: in one array, and beside what is queued already. Asked from the cluster where it answers."""

import re
import sys
from dataclasses import dataclass

from ablation.config.cluster import Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.slurm import commands as slurm

# What Slurm does where its configuration says nothing.
_MAX_ARRAY, _MAX_JOBS = 1001, 10000


@dataclass(frozen=True)
class QueueLimits:
    """`array` tasks in one array; `queued` tasks of mine at a time, and the name of the limit that says so."""

    array: int
    queued: int
    named: str

    def room(self, mine: int) -> int:
        """How many more tasks fit beside `mine` that are queued or running."""
        return max(0, self.queued - mine)


def read_queue_limits(cluster: Slurm) -> QueueLimits:
    """The limits that hold for this user here. Raises SlurmUnreachable, and ConfigProblems where arrays are not allowed."""
    lines = slurm.run(["scontrol", "show", "config"]).splitlines()
    config = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    found = {"MaxJobCount": _number(config.get("MaxJobCount", "")) or _MAX_JOBS}
    # The index of a task stays below MaxArraySize.
    told = _number(config.get("MaxArraySize", ""))
    if told == 0:
        raise ConfigProblems(["cluster: this Slurm takes no job arrays (MaxArraySize=0); ask the site to allow them"])
    chosen = re.search(r"max_array_tasks=(\d+)", config.get("SchedulerParameters", ""))
    array = min(told or _MAX_ARRAY, int(chosen[1]) if chosen else sys.maxsize)
    if "slurmdbd" in config.get("AccountingStorageType", ""):
        found |= _of_accounting(cluster)
    named = min(found, key=lambda name: found[name])
    return QueueLimits(array, found[named], f"{named}={found[named]}")


def _of_accounting(cluster: Slurm) -> dict[str, int]:
    """The smallest MaxSubmitJobs of my associations and of the QOS that is asked for; none where sacctmgr does not answer."""
    asked = {
        "MaxSubmitJobs of your association": [
            "show", "assoc", "format=MaxSubmitJobs,GrpSubmitJobs", f"user={_me()}",
            *([f"account={cluster.account}"] if cluster.account else []),
        ],
        "MaxSubmitJobs of the QOS": [
            "show", "qos", "format=MaxSubmitJobsPerUser,GrpSubmitJobs", f"name={cluster.qos or 'normal'}",
        ],
    }  # fmt: skip
    found = {}
    for name, words in asked.items():
        try:
            told = slurm.run(["sacctmgr", "--noheader", "--parsable2", *words])
        except slurm.SlurmUnreachable:
            continue
        numbers = [number for field in told.replace("\n", "|").split("|") if (number := _number(field)) is not None]
        if numbers:
            found[name] = min(numbers)
    return found


def _me() -> str:
    import getpass

    return getpass.getuser()


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) < sys.maxsize else None
