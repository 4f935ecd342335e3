"""Hand the missing cells of a study to Slurm, each exactly once, and return."""

import fcntl
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ablation.cluster import Slurm
from ablation.dispatch import slurm
from ablation.dispatch.frozen import freeze
from ablation.dispatch.job import Job
from ablation.dispatch.ledger import LEDGER, Ledger, Submission
from ablation.dispatch.snapshot import snapshot
from ablation.errors import RecordError


def submit_missing(jobs: Sequence[Job], cluster: Slurm, study: Path) -> list[Submission]:
    """Submit every job that is not in the queue yet; the arrays that were submitted now.

    Raises RecordError when another process submits for this study, ConfigProblems when Slurm refuses, SlurmUnreachable.
    """
    with _only_submitter(study):
        ledger = Ledger(study / LEDGER)
        ledger.adopt(slurm.queued_under)
        waiting = set(slurm.queue())
        queued = {cell for cell, task in ledger.latest().items() if task in waiting}
        todo = [job for job in jobs if job.name not in queued]
        return [_submit(chunk, cluster, study, ledger) for chunk in _chunks(todo, slurm.largest_array() if todo else 1)]


def _submit(jobs: Sequence[Job], cluster: Slurm, study: Path, ledger: Ledger) -> Submission:
    name = f"ablation-{study.name[:40]}-{uuid.uuid4().hex[:8]}"
    script = write_script(jobs, cluster, study, name)
    slurm.test_only(script)
    cells = tuple(job.name for job in jobs)
    ledger.intend(name, cells)
    job = slurm.submit(script)
    ledger.confirm(name, job)
    return Submission(name, cells, job)


def write_script(jobs: Sequence[Job], cluster: Slurm, study: Path, name: str) -> Path:
    """Freeze the jobs and write the list and the sbatch file of their array; the file's path."""
    folder = (study / "jobs").resolve()
    paths = [freeze(job, folder) for job in jobs]
    listing = folder / f"{name}.list"
    listing.write_text("".join(f"{path}\n" for path in paths))
    script = folder / f"{name}.sbatch"
    logs = (study / "logs").resolve()
    logs.mkdir(parents=True, exist_ok=True)
    code = snapshot(study / "code")
    script.write_text(slurm.sbatch_text(cluster, name, listing, len(jobs), logs, code, sys.executable))
    return script


def _chunks(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))


@contextmanager
def _only_submitter(study: Path) -> Iterator[None]:
    """One submitter a study on this machine; the lock dies with its process. Across machines, job names are the backstop."""
    with (study / "submitting.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecordError(f"another process is submitting for {study}; wait for it, then run again") from error
        yield
