"""A study on Slurm, as a user sees and steers it, and its workers, as a fault finds them.

Walks through store, jobs.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.store.files import matching_paths
from ablation.store.records import TIMING_FILE
from tests.conftest import ROOT
from tests.slurm.daemons import PATIENCE_S, processes, until

# Eight CPUs a job: at most one job a node of the sandbox, so that two real cores are not asked to run 32 of them.
ON_SLURM = ("cluster=slurm", "cluster.cpus_per_task=8", "cluster.timeout_min=20")


@dataclass(frozen=True)
class Queued:
    """A task of the study in Slurm's queue, by its ``JOB_INDEX``; `starts` is when Slurm means to begin."""

    task: str
    state: str
    reason: str
    node: str
    starts: str


@dataclass(frozen=True)
class AtWork:
    """A worker process in a stage, with the stage's workbench and its task as ``JOB_INDEX``."""

    stage: str
    bench: Path
    worker: int
    task: str


@dataclass(frozen=True)
class Launched:
    """One study below `folder`: `cells` are the words that say what it is, `cluster` those that say where it runs."""

    folder: Path
    study: str
    cells: Sequence[str]
    cluster: Sequence[str] = ()

    @property
    def outputs(self) -> Path:
        """The outputs folder."""
        return self.folder / "outputs"

    def command(self, *words: str) -> list[str]:
        """The launch command: the first one, and every later one; `words` are said beside for once."""
        arguments = [*self.cells, *self.cluster, *words, f"study={self.study}", f"outputs='{self.outputs}'"]
        return [sys.executable, str(ROOT / "launch.py"), "-m", *arguments]

    def launch(self, *words: str, code: int = 0, first_on_path: Path | None = None) -> str:
        """Type the command; what it said. Raises AssertionError on another exit code.

        Commands in the folder `first_on_path` are found before Slurm's.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = {"PATH": f"{first_on_path}:{os.environ['PATH']}"} if first_on_path else {}
        ended = _ended(self.command(*words), self.folder, code, {**os.environ, **path})
        return ended.stdout + ended.stderr

    def ablation(self, command: str, *words: str, code: int | None = 0) -> str:
        """Type a command about the study; its standard output. Raises AssertionError on another exit code (None: any will do)."""
        return _ended([sys.executable, "-m", "ablation.cli", command, self.study, *words], self.folder, code).stdout

    def launch_until_done(self, within_s: float = PATIENCE_S) -> None:
        """Launch again, as its message says, whenever the queue holds nothing of the study and it is not complete."""

        def is_done() -> bool:
            self.start_requeued()
            if self.queue():
                return False
            self.launch()
            return not self.queue()

        until(is_done, within_s, every_s=1.0)

    def watch(self) -> bytes:
        """Follow the study to its report; its results."""
        self.ablation("watch")
        return self.results()

    def status(self) -> dict[str, dict[str, Any]]:
        """What `ablation status` says of each cell, by name."""
        return {cell["name"]: cell for cell in json.loads(self.ablation("status", "--json", code=None))["cells"]}

    def counts(self) -> dict[str, int]:
        """How many cells are in which state."""
        return dict(Counter(cell["state"] for cell in self.status().values()))

    def timings(self, stage: str) -> list[dict[str, Any]]:
        """What the stage says of its machine and its time, of every cell."""
        paths = matching_paths(self.outputs, f"store/{stage}/*/{TIMING_FILE}")
        return [json.loads(path.read_text()) for path in paths if not path.parent.name.startswith(".")]

    def submissions(self) -> list[Submission]:
        """What its ledger says that Slurm has taken."""
        return [submission for submission in Ledger(self.outputs / self.study / LEDGER).submissions() if submission.job]

    def results(self) -> bytes:
        """The table of results."""
        return (self.outputs / self.study / "results.parquet").read_bytes()

    def queue(self) -> list[Queued]:
        """What of the study Slurm has, the newest answer: empty also when it does not answer."""
        answer = subprocess.run(
            ["squeue", "--me", "--noheader", "--array", "--format=%i|%T|%r|%N|%S|%j"],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split("|") for line in answer.stdout.splitlines()]
        return [Queued(*line[:5]) for line in lines if line[5].startswith(f"ablation-{self.study}-")]

    def start_requeued(self) -> None:
        """Spare the study the 20 s that the sandbox lets a requeued task wait, but for three seconds.

        A task that starts in the second in which its node has ended it is refused there ("already killed, do not launch").
        """
        for task in self.queue():
            if task.state == "PENDING" and _is_far(task.starts):
                soon = ["scontrol", "update", f"JobId={task.task}", "StartTime=now+3seconds"]
                subprocess.run(soon, capture_output=True, check=False)

    def wait_until(self, counts: dict[str, int]) -> None:
        """Until so many cells are in these states, with nothing said again."""

        def is_so() -> bool:
            self.start_requeued()
            return not self.queue() and self.counts() == counts

        until(is_so)

    def workers(self) -> list[int]:
        """The study's worker processes, in the order of their ids; srun and the shell that name them are not meant."""
        part = f"-m ablation.jobs.run.worker --tasks {self.outputs / self.study}/"
        workers = [(pid, line) for pid, line in processes(part) if Path(line.split()[0]).name.startswith("python")]
        return sorted(pid for pid, _ in workers)

    def at_work(self) -> list["AtWork"]:
        """Who holds the newest lease of which stage."""
        holders = {}
        for path in matching_paths(self.outputs, "store/*/.work-*/lease-*.json"):
            try:
                holder = json.loads(path.read_text())
            except (OSError, ValueError):  # given back meanwhile
                continue
            holders[path.parent] = AtWork(path.parent.parent.name, path.parent, holder["pid"], holder["job"])
        return list(holders.values())

    def stage_of(self, worker: int) -> str | None:
        """The stage whose lease the worker holds; None before and between stages."""
        return next((holder.stage for holder in self.at_work() if holder.worker == worker), None)

    def log(self, task: str = "*") -> str:
        """All that the study's tasks printed, or one of them."""
        logs = sorted((self.outputs / self.study / "logs").glob(f"{task}_*_log.out"))
        return "".join(path.read_text(errors="replace") for path in logs)

    def events(self) -> list[dict[str, Any]]:
        """What the workers recorded, each with the name of its cell."""
        paths = (self.outputs / self.study / "jobs").glob("*.history.jsonl")
        return [
            {"cell": path.name.removesuffix(".history.jsonl"), **json.loads(line)}
            for path in paths
            for line in path.read_text().splitlines()
            if line
        ]


def _ended(
    command: Sequence[str], folder: Path, code: int | None, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert code in (ended.returncode, None), f"exit code {ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended


def _is_far(starts: str) -> bool:
    """True for a moment, as Slurm writes it in local time, that is more than ten seconds away."""
    try:
        return datetime.fromisoformat(starts) > datetime.now() + timedelta(seconds=10)
    except ValueError:  # N/A: not known yet
        return False


def signalled(worker: int, number: int) -> bool:
    """Send a signal to a worker; False when it was gone."""
    try:
        os.kill(worker, number)
    except ProcessLookupError:
        return False
    return True
