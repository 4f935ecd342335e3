"""From what is known of one task to its state: the records of its worker first, then the queue, then accounting, then its log."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ablation.jobs.slurm.commands import AccountedTask, QueuedTask
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import SubmittedTask
from ablation.jobs.status.error_kinds import class_of_slurm
from ablation.store.lease import STARTED_STATES

State = Literal["done", "running", "queued", "held", "failed", "lost", "unknown", "missing"]
# Reasons for which Slurm will never start a task without somebody's help, and the help.
_HOPELESS = {
    "PartitionTimeLimit": "cluster.timeout_min is above the partition's limit; cancel, lower it, and launch again",
    "PartitionNodeLimit": "cluster.nodes is above the partition's limit; cancel, lower it, and launch again",
    "PartitionConfig": "no node of the partition has what it asks for; cancel, ask for less, and launch again",
    "PartitionDown": "the partition is down; ask the site, or cancel and choose another cluster.partition",
    "PartitionInactive": "the partition takes no jobs; ask the site, or cancel and choose another cluster.partition",
    "DependencyNeverSatisfied": "what it waits for has failed; launch again",
    "BadConstraints": "no node has cluster.constraint; cancel, correct it, and launch again",
    "InvalidQOS": "cluster.qos is not allowed here; cancel, correct it, and launch again",
    "InvalidAccount": "cluster.account is not allowed here; cancel, correct it, and launch again",
    "AccountNotAllowed": "cluster.account may not use this partition; cancel, correct it, and launch again",
    "QOSNotAllowed": "cluster.qos may not use this partition; cancel, correct it, and launch again",
    "QOSMaxWallDurationPerJobLimit": "cluster.timeout_min is above the QOS's limit; cancel, lower it, and launch again",
    "AssocMaxWallDurationPerJobLimit": "cluster.timeout_min is above your limit; cancel, lower it, and launch again",
    "JobHeldAdmin": "an administrator holds it; ask the site",
}
# Reasons for which a task waits until somebody releases it, and what they mean.
_HELD = {
    "JobHeldUser": "held by hand; `ablation release STUDY` lets it start",
    "launch failed requeued held": "it could not be started on its node; `ablation release STUDY` tries again",
    "job requeued in held state": "somebody has requeued it to wait; `ablation release STUDY` lets it go on",
}
_HOPELESS_PATTERNS = (
    (r"(QOS|Assoc)Max\w+(PerJob|PerNode)\w*", "it asks for more than a limit allows; cancel, ask for less"),
)
# What slurmstepd and srun write to a job's log when they end it, the newest line last.
_LAST_WORDS = (
    (r"DUE TO TIME LIMIT", "timeout"),
    (r"DUE TO PREEMPTION", "preempted"),
    (r"DUE TO NODE FAILURE|Node failure", "node_fail"),
    (r"[Oo]ut [Oo]f [Mm]emory|oom[-_]kill", "oom_host"),
    (r"No space left|disk full", "disk_full"),
    (r"DUE TO JOB REQUEUE", "lost"),
    (r"CANCELLED AT", "cancelled"),
    (r"task \d+: Killed", "lost"),
)
_LOG_TAIL_BYTES = 8192


@dataclass(frozen=True)
class TaskState:
    """A state; `detail` is the error or the reason for waiting, `kind` the class of a failure, `host` where it ran last."""

    state: State
    detail: str | None = None
    kind: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class SlurmAnswer:
    """What Slurm tells: the queue (None when it does not answer), and what accounting says of tasks that are not in it."""

    queue: Mapping[str, QueuedTask] | None
    accounted: Mapping[str, AccountedTask] = field(default_factory=dict)


def derive_task_state(
    place: SubmittedTask, events: Sequence[Event], seen: SlurmAnswer, held: str | None, logs: Path
) -> TaskState:
    """The state of a cell's part whose results are not there. `events` are the cell's, `held` says why its array is held."""
    own = [event for event in events if event.job == place.job]
    # After a node failure the old process may live on beside the one that Slurm has started again, and end with an error.
    last = max(reversed(own), key=lambda event: event.restart, default=None)
    host = last.host if last else None
    if last and last.is_failure:
        return TaskState("failed", last.error, last.kind, host)
    if last and last.is_complete and place.submission.stage == "train":
        return TaskState("missing", "trained; launch again to submit its evaluation", None, host)
    if seen.queue is None:
        return TaskState("unknown", "Slurm does not answer")
    queued = seen.queue.get(place.job)
    turned_away = last.error if last and last.is_held else None
    # What had begun and ended without a word has a cause of its own, which the hold must not hide.
    waits = queued.state == "PENDING" if queued else not own or turned_away
    if waits and (why := held or turned_away):
        return TaskState("held", f"{why}; correct it, then launch again or `ablation release STUDY`")
    if queued:
        return _waiting(queued)
    if place.job in seen.accounted:
        return _accounted(place, seen.accounted[place.job], last, logs)
    return _vanished(place, last, logs)


def _waiting(queued: QueuedTask) -> TaskState:
    if queued.state in STARTED_STATES:
        return TaskState("running")
    if queued.reason in _HELD:
        return TaskState("held", _HELD[queued.reason])
    fix = _HOPELESS.get(queued.reason) or next(
        (fix for reason, fix in _HOPELESS.items() if queued.reason.startswith(reason)), None
    )
    fix = fix or next((fix for pattern, fix in _HOPELESS_PATTERNS if re.match(pattern, queued.reason)), None)
    if fix:
        return TaskState("queued", f"will never start: {queued.reason}: {fix}")
    away = "its nodes are down, drained or reserved: it starts when they are back, or cancel and ask for others"
    is_away = queued.reason.startswith("ReqNodeNotAvail")
    return TaskState("queued", f"{queued.reason}: {away}" if is_away else queued.reason)


def _accounted(place: SubmittedTask, told: AccountedTask, last: Event | None, logs: Path) -> TaskState:
    if told.state == "COMPLETED":
        return TaskState(
            "lost", "Slurm says COMPLETED, but the results are not there; is the disk shared and healthy?", "lost"
        )
    if told.state == "CANCELLED" and place.submission.after:  # its training ended otherwise than by completing the task
        return TaskState("lost", "Slurm cancelled it with its training, which is complete now", "lost", told.nodes)
    if told.state == "FAILED":
        kind, words = last_words(place, logs)
        never_began = last is None and kind == "lost"
        said = "there is no log; was its folder there?" if words is None else words
        return TaskState("failed", f"Slurm ended the job: FAILED: {said}", "error" if never_began else kind, told.nodes)
    return TaskState("failed", f"Slurm ended the job: {told.state}", class_of_slurm(told.state), told.nodes)


def _vanished(place: SubmittedTask, last: Event | None, logs: Path) -> TaskState:
    kind, words = last_words(place, logs)
    if kind != "lost":
        return TaskState("failed", words, kind, last.host if last else None)
    if last and last.kind == "interrupted":
        kind = "cancelled" if "SIGTERM" in (last.error or "") else "lost"
        return TaskState("failed", f"{last.error}, and Slurm did not start it again", kind, last.host)
    if last is None and words is not None:
        text = "the job ended before its cell began; look at cluster.setup, cluster.prefix and its log"
        return TaskState("failed", f"{text} ({words})" if words else text, "error")
    text = "the job left the queue without a result; the same launch command submits the cell again"
    return TaskState("lost", f"{text} ({words})" if words else text, "lost", last.host if last else None)


def last_words(place: SubmittedTask, logs: Path) -> tuple[str, str | None]:
    """The class that the end of a task's log tells of, and the line that does; `lost` and the last line where none does.

    Without a log the line is None.
    """
    path = logs / f"{place.job}_0_log.out"
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return "lost", None
    for line in reversed(lines):
        for pattern, kind in _LAST_WORDS:
            if re.search(pattern, line):
                return kind, line.strip()
    return "lost", next((line.strip() for line in reversed(lines) if line.strip()), "")
