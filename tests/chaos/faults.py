"""The faults that may hit a study at a random moment. Each returns the victim, or None where there was none.

Walks through jobs, store, study.
"""

import random
import signal
import subprocess
from collections.abc import Callable

from tests.slurm.daemons import kill_node, start_controller, start_node, stop_controller
from tests.slurm.launched import Launched, Queued, signalled

Fault = Callable[[Launched, random.Random], str | None]


def kill_worker(study: Launched, chance: random.Random) -> str | None:
    """SIGKILL, as the kernel does that runs out of memory."""
    return _signal(study, chance, signal.SIGKILL)


def end_worker(study: Launched, chance: random.Random) -> str | None:
    """SIGTERM, as an administrator may."""
    return _signal(study, chance, signal.SIGTERM)


def requeue(study: Launched, chance: random.Random) -> str | None:
    """`scontrol requeue` of a running task."""
    task = _running(study, chance)
    if task is None:
        return None
    answer = subprocess.run(["scontrol", "requeue", task.task], capture_output=True, check=False)
    return None if answer.returncode else f"task {task.task}"


def preempt(study: Launched, chance: random.Random) -> str | None:
    """A moment of a whole node for partition `high`."""
    task = _running(study, chance)
    if task is None:
        return None
    wanted = ["--partition=high", f"--nodelist={task.node}", "--cpus-per-task=8", "--output=/dev/null", "--wrap=true"]
    subprocess.run(["sbatch", "--job-name=urgent", *wanted], capture_output=True, check=True)
    return f"task {task.task}"


def fail_node(study: Launched, chance: random.Random) -> str | None:
    """A node whose daemons die while the processes of its jobs live on; then it comes back."""
    return _node(study, chance, with_steps=True)


def restart_slurmd(study: Launched, chance: random.Random) -> str | None:
    """A slurmd that dies and comes back; its jobs do not notice."""
    return _node(study, chance, with_steps=False)


def restart_slurmctld(study: Launched, chance: random.Random) -> str | None:
    """A controller that dies and comes back."""
    del chance
    if not study.workers():
        return None
    stop_controller()
    start_controller()
    return "the controller"


# How often each comes, in parts of all.
FAULTS: dict[str, tuple[int, Fault]] = {
    "kill -9 worker": (55, kill_worker),
    "TERM worker": (12, end_worker),
    "scontrol requeue": (11, requeue),
    "preempt": (8, preempt),
    "kill slurmd and steps": (6, fail_node),
    "restart slurmd": (4, restart_slurmd),
    "restart slurmctld": (4, restart_slurmctld),
}

# The chance that a worker is hit while none has begun a stage: each spends longer on its imports than on a tiny stage.
_IDLE = 0.2


def _signal(study: Launched, chance: random.Random, number: int) -> str | None:
    stages = {worker: study.stage_of(worker) for worker in study.workers()}
    at_work = [worker for worker, stage in stages.items() if stage]
    victims = at_work or (list(stages) if chance.random() < _IDLE else [])
    if not victims:
        return None
    worker = chance.choice(victims)
    return f"{stages[worker] or 'no stage'} in process {worker}" if signalled(worker, number) else None


def _running(study: Launched, chance: random.Random) -> Queued | None:
    running = [task for task in study.queue() if task.state == "RUNNING"]
    return chance.choice(running) if running else None


def _node(study: Launched, chance: random.Random, *, with_steps: bool) -> str | None:
    task = _running(study, chance)
    if task is None:
        return None
    kill_node(task.node, with_steps=with_steps)
    start_node(task.node)
    return f"{task.node}, task {task.task}"
