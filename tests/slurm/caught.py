"""Workers stopped in the middle of a stage, so that a fault meets them there however fast the machine is.

Walks through store, jobs.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ablation.store.files import matching_paths
from tests.slurm.daemons import until
from tests.slurm.launched import AtWork, Launched, signalled

Kept = Callable[[Path], bool]


class MissedError(AssertionError):
    """No worker is left that could be met where one is wanted: on a busy machine a short stage is over between two looks."""


def caught(study: Launched, *wanted: tuple[str, Kept]) -> list[AtWork]:
    """For each stage a worker in it that has kept so much there, stopped by SIGSTOP. No two are of one task.

    Raises MissedError when the study has no other worker left.
    """
    workers: dict[int, AtWork] = {}
    looks = count(1)

    def is_complete() -> bool:
        for worker in study.at_work():
            if worker.task not in {other.task for other in workers.values()}:
                fits = [
                    index
                    for index, (stage, kept) in enumerate(wanted)
                    if index not in workers and stage == worker.stage and kept(worker.bench)
                ]
                if fits and _stopped(study, worker):
                    workers[fits[0]] = worker
        if 0 < len(workers) < len(wanted) and next(looks) % 200 == 0 and not _goes_on(study):
            raise MissedError(
                f"met {[worker.stage for worker in workers.values()]} of {[stage for stage, _ in wanted]}"
            )
        return len(workers) == len(wanted)

    with _ahead_of_the_workers():
        until(is_complete, every_s=0.0005)
    return [workers[index] for index in range(len(wanted))]


def anything(bench: Path) -> bool:
    """True at once."""
    del bench
    return True


def has_checkpoints(count: int) -> Kept:
    """True once so many complete checkpoints are there."""
    return lambda bench: len(checkpoints(bench)) >= count


def has_journal(bench: Path) -> bool:
    """True once completions were kept."""
    return bool(journals(bench))


def checkpoints(bench: Path) -> list[Path]:
    """The complete checkpoints on a workbench, the newest last."""
    folders = [path.parent for path in matching_paths(bench, "attempt-*/kept/checkpoint-*/COMPLETE.json")]
    return sorted(folders, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def journals(bench: Path) -> list[Path]:
    """The journals on a workbench that hold completions."""
    return [path for path in matching_paths(bench, "attempt-*/kept/completions.jsonl") if _is_filled(path)]


def _is_filled(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_size > 0
    return False


def has_heard(worker: int, number: int) -> bool:
    """True when a signal waits for a stopped worker, or the worker goes on or is gone."""
    try:
        lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    except OSError:
        return True
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    pending = int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)
    return not fields["State"].startswith("T") or bool(pending >> (number - 1) & 1)


@contextmanager
def _ahead_of_the_workers() -> Iterator[None]:
    """With this process before all others, where it may be: a selection is over in milliseconds."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


def _goes_on(study: Launched) -> bool:
    """True while a task of the study is not stopped: it waits, starts or works."""
    return len(study.queue()) > sum(_is_stopped(worker) for worker in study.workers())


def _is_stopped(worker: int) -> bool:
    try:
        return "\nState:\tT" in Path(f"/proc/{worker}/status").read_text()
    except OSError:
        return False


def _stopped(study: Launched, worker: AtWork) -> bool:
    """Stop a worker; return False where it was gone or had left the stage meanwhile."""
    if not signalled(worker.worker, signal.SIGSTOP):
        return False
    if worker in study.at_work():
        return True
    signalled(worker.worker, signal.SIGCONT)
    return False
