"""Why a cell failed, as a class: whether trying again can help, and what a person does next."""

import errno
import os
import re

from ablation.errors import AblationError
from ablation.store.files import is_about_the_disk

AGAIN = "then launch again"
# (class, what to do next)
NEXT_STEPS = {
    "preempted": "`ablation retry STUDY`, or launch again: the cell goes on at what it kept",
    "timeout": f"raise cluster.timeout_min or cluster.requeues; {AGAIN}: the cell goes on at what it kept",
    "node_fail": "`ablation retry STUDY`, or launch again: the cell runs elsewhere",
    "oom_host": f"raise cluster.mem_gb, or run fewer cells at once; {AGAIN}",
    "oom_gpu": f"ask for a larger GPU, more of them, or a smaller model; {AGAIN}",
    "disk_full": f"free space or set outputs=DIR; {AGAIN}",
    "held": f"correct the cause, {AGAIN}; or `ablation release STUDY` to let it go on as it is",
    "lost": "`ablation retry STUDY`, or launch again: finished stages are kept",
    "killed": f"most often the system ran out of memory: fewer cluster.workers, or more cluster.mem_gb; {AGAIN}",
    "cancelled": "somebody cancelled it; launch again, and the cell goes on at what it kept",
    "config_error": "correct the value; launching again as it is would fail again",
    "data_error": "correct the data; launching again as it is would fail again",
    "grader_error": "correct the benchmark's answers or the grader; launching again as it is would fail again",
    "exploded_loss": "lower train.learning_rate or look at the data; launching again as it is would fail again",
    "still_weights": "raise train.learning_rate; launching again as it is would fail again",
    "no_gradient": "look at train.lora.targets and at the masked labels; launching again as it is would fail again",
    "nan_loss": "lower train.learning_rate or look at the data; launching again as it is would fail again",
    "engine_error": f"read vLLM's own words in `ablation logs STUDY CELL`; correct sample.* or its installation, {AGAIN}",
    "record_error": f"do what the message says; {AGAIN}",
    "error": f"read the log (`ablation logs STUDY CELL`), correct the cause, {AGAIN}",
}
# Trying again may help, and costs nothing but time: what is finished is kept.
RETRYABLE = ("preempted", "timeout", "node_fail", "oom_host", "oom_gpu", "disk_full", "lost")
# Slurm's last word on a job.
_OF_SLURM = {
    "OUT_OF_MEMORY": "oom_host",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "NODE_FAIL": "node_fail",
    "BOOT_FAIL": "node_fail",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
}
# Messages of records that hold no class, and what the words of libraries mean.
_WORDS = (
    (r"OUT_OF_MEMORY|DefaultCPUAllocator: can't allocate memory", "oom_host"),
    (r"OutOfMemoryError|CUDA out of memory", "oom_gpu"),
    (r"exit code -9", "killed"),
    (
        r"disk full|No space left|Disk quota|PytorchStreamWriter failed writing|inline_container.*unexpected pos",
        "disk_full",
    ),
    (r"problem.* in the configuration", "config_error"),
    (r"corpus|benchmark|trajectory", "data_error"),
)


def class_of(error: Exception) -> str:
    """The class of an error that ended a cell."""
    if isinstance(error, AblationError):
        return error.kind
    if (isinstance(error, OSError) and is_about_the_disk(error)) or os.strerror(errno.ENOSPC) in str(error):
        return "disk_full"
    if isinstance(error, MemoryError):
        return "oom_host"
    if any(
        base.__name__ == "OutOfMemoryError" for base in type(error).__mro__
    ):  # torch's; torch is not imported for this
        return "oom_gpu"
    return class_of_message(str(error))


def class_of_message(message: str) -> str:
    """The class that a message's words tell of, `error` when they tell of none."""
    return next((kind for pattern, kind in _WORDS if re.search(pattern, message)), "error")


def class_of_slurm(state: str) -> str:
    """The class of a job that Slurm ended in this state; `lost` where the state says nothing of the cause."""
    return _OF_SLURM.get(state, "lost")
