"""The state of one task on Slurm, derived from four sources: its worker's records, the queue, accounting and its log."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ablation.jobs.slurm.commands import AccountedTask, QueuedTask
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import SubmittedTask
from ablation.jobs.status.error_kinds import class_of_slurm
from ablation.specs.vocabulary import CellState
from ablation.store.lease import STARTED_STATES

# How the detail of a queued task begins that needs a person.
WILL_NEVER_START = "will never start"
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
    """The state of one task, with its reason."""

    state: CellState
    detail: str | None = None
    """The error, or the reason for waiting."""
    kind: str | None = None
    """The class of a failure (`NEXT_STEPS` in error_kinds.py lists them)."""
    host: str | None = None
    """The node on which it ran last."""


@dataclass(frozen=True)
class SlurmAnswer:
    """The answer of Slurm about the tasks of a study, asked once."""

    queue: Mapping[str, QueuedTask] | None
    """The tasks in the queue by ``JOB_INDEX``; None when Slurm does not answer."""
    accounted: Mapping[str, AccountedTask] = field(default_factory=dict)
    """The tasks that have left the queue, as accounting knows them; empty without accounting."""


def derive_task_state(
    task: SubmittedTask, events: Sequence[Event], answer: SlurmAnswer, hold_reason: str | None, logs: Path
) -> TaskState:
    """Return the state of a task whose results are not in the store.

    `events` are the records of the cell under all its tasks. `hold_reason` says why the array is held, or is None. `logs` is the
    folder of Slurm's logs. The sources are asked in this order, and the first one that can tell decides::

        worker's record  queue       accounting   log              state
        failure          (any)       (any)        (any)            failed, with the worker's error
        none             no answer   -            -                unknown
        none             PENDING     -            -                queued, or held with the array
        began            RUNNING     -            -                running
        began            not there   NODE_FAIL    -                failed, class node_fail
        began            not there   nothing      "oom-kill …"     failed, class oom_host
        began            not there   nothing      no such words    lost

    The worker comes first because only it knows the cause. Absence proves nothing: a shared disk may show a result some seconds
    after the queue forgets the task. So the last line is `lost`, and whoever follows the study looks again.
    """
    records = [event for event in events if event.job == task.job]
    # After a node failure the old process may live on beside the one that Slurm has started again, and end with an error.
    last = max(reversed(records), key=lambda event: event.restart, default=None)
    host = last.host if last else None
    if last and last.is_failure:
        return TaskState(CellState.FAILED, last.error, last.kind, host)
    # `latest_tasks` would give the evaluation if one had been submitted with this training.
    if last and last.is_complete and task.submission.stage == "train":
        return TaskState(CellState.MISSING, "trained; launch again to submit its evaluation", None, host)
    if answer.queue is None:
        return TaskState(CellState.UNKNOWN, "Slurm does not answer")
    queued = answer.queue.get(task.job)
    turned_away = last.error if last and last.is_held else None
    # What had begun and ended without a word has a cause of its own, which the hold must not hide.
    waits = queued.state == "PENDING" if queued else not records or turned_away
    if waits and (reason := hold_reason or turned_away):
        return TaskState(CellState.HELD, f"{reason}; correct it, then launch again or `ablation release STUDY`")
    if queued:
        return _state_in_queue(queued)
    if task.job in answer.accounted:
        return _state_by_accounting(task, answer.accounted[task.job], last, logs)
    return _state_by_log(task, last, logs)


def _state_in_queue(queued: QueuedTask) -> TaskState:
    """Return running, queued or held, by Slurm's state of the task and its reason for waiting."""
    if queued.state in STARTED_STATES:
        return TaskState(CellState.RUNNING)
    if queued.reason in _HELD:
        return TaskState(CellState.HELD, _HELD[queued.reason])
    remedy = _remedy(queued.reason)
    if remedy:  # Slurm accepts such jobs all the same, and keeps them pending for ever
        return TaskState(CellState.QUEUED, f"{WILL_NEVER_START}: {queued.reason}: {remedy}")
    # Slurm appends the names of the nodes to this reason.
    if queued.reason.startswith("ReqNodeNotAvail"):
        away = "its nodes are down, drained or reserved: it starts when they are back, or cancel and ask for others"
        return TaskState(CellState.QUEUED, f"{queued.reason}: {away}")
    return TaskState(CellState.QUEUED, queued.reason)


def _remedy(reason: str) -> str | None:
    """Return the help for a task that Slurm will never start for this reason; None when it may start."""
    if reason in _HOPELESS:
        return _HOPELESS[reason]
    for beginning, remedy in _HOPELESS.items():
        if reason.startswith(beginning):
            return remedy
    return next((remedy for pattern, remedy in _HOPELESS_PATTERNS if re.match(pattern, reason)), None)


def _state_by_accounting(task: SubmittedTask, accounted: AccountedTask, last: Event | None, logs: Path) -> TaskState:
    """Return the state of a task that left the queue, by accounting; `last` is the newest record of its worker."""
    nodes = accounted.nodes
    if accounted.state == "COMPLETED":
        text = "Slurm says COMPLETED, but the results are not there; is the disk shared and healthy?"
        return TaskState(CellState.LOST, text, "lost")
    if accounted.state == "CANCELLED" and task.submission.after:
        # Its training ended otherwise than by completing the task, and kill-on-invalid-dep took the evaluation along.
        text = "Slurm cancelled it with its training, which is complete now"
        return TaskState(CellState.LOST, text, "lost", nodes)
    if accounted.state == "FAILED":
        # FAILED alone says no cause: an srun step out of memory is FAILED, and so is a job without a folder for its log (0:53).
        kind, line = last_words(task, logs)
        never_began = last is None and kind == "lost"
        words = "there is no log; was its folder there?" if line is None else line
        return TaskState(
            CellState.FAILED, f"Slurm ended the job: FAILED: {words}", "error" if never_began else kind, nodes
        )
    text = f"Slurm ended the job: {accounted.state}"
    return TaskState(CellState.FAILED, text, class_of_slurm(accounted.state), nodes)


def _state_by_log(task: SubmittedTask, last: Event | None, logs: Path) -> TaskState:
    """Return the state of a task that left the queue without a word of accounting."""
    kind, line = last_words(task, logs)
    host = last.host if last else None
    if kind != "lost":
        return TaskState(CellState.FAILED, line, kind, host)
    if last and last.kind == "interrupted":
        # The worker asked to be started again. After SIGTERM it did not have to ask: `scancel` sends that, and so does Slurm.
        kind = "cancelled" if "SIGTERM" in (last.error or "") else "lost"
        return TaskState(CellState.FAILED, f"{last.error}, and Slurm did not start it again", kind, host)
    if last is None and line is not None:
        # There is a log, so the script ran, but the worker in it did not reach its first record.
        text = "the job ended before its cell began; look at cluster.setup, cluster.prefix and its log"
        return TaskState(CellState.FAILED, f"{text} ({line})" if line else text, "error")
    text = "the job left the queue without a result; the same launch command submits the cell again"
    return TaskState(CellState.LOST, f"{text} ({line})" if line else text, "lost", host)


def last_words(task: SubmittedTask, logs: Path) -> tuple[str, str | None]:
    """Return the class of failure that the end of a task's log tells, and the line that tells it.

    Where no line does, the class is ``lost`` and the line is the last one; without a log the line is None.
    """
    path = logs / f"{task.job}_0_log.out"
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
