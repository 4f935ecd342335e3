"""A study on the sandbox's Slurm, as a user sees and steers it, and its workers, as a fault finds them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.slurm.daemons import processes, until


@dataclass(frozen=True)
class Queued:
    """A task of the study in Slurm's queue; `number` is its own id, `task` the ``JOB_INDEX``."""

    task: str
    number: str
    state: str
    reason: str
    node: str


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

    @property
    def command(self) -> list[str]:
        """The launch command: the first one, and every later one."""
        words = [*self.cells, *self.cluster, f"study={self.study}", f"outputs='{self.outputs}'"]
        return [sys.executable, str(ROOT / "launch.py"), "-m", *words]

    def launch(self, code: int = 0) -> str:
        """Type the command; what it said. Raises AssertionError on another exit code."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = subprocess.run(self.command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert told.returncode == code, f"exit code {told.returncode}: {told.stdout}{told.stderr}"
        return told.stdout + told.stderr

    def launch_until_done(self, within_s: float = 300.0) -> None:
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
        command = [sys.executable, "-m", "ablation.cli", "watch", self.study]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        return self.results()

    def results(self) -> bytes:
        """The table of results."""
        return (self.outputs / self.study / "results.parquet").read_bytes()

    def queue(self) -> list[Queued]:
        """What of the study Slurm has, the newest answer: empty also when it does not answer."""
        told = subprocess.run(
            ["squeue", "--me", "--noheader", "--array", "--format=%i|%A|%T|%r|%N|%j"],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split("|") for line in told.stdout.splitlines()]
        return [Queued(*line[:5]) for line in lines if line[5].startswith(f"ablation-{self.study}-")]

    def start_requeued(self) -> None:
        """Spare the study the two minutes that Slurm lets a requeued task wait."""
        for one in self.queue():
            if one.state == "PENDING" and one.reason == "BeginTime":
                subprocess.run(
                    ["scontrol", "update", f"JobId={one.task}", "StartTime=now"], capture_output=True, check=False
                )

    def workers(self) -> list[int]:
        """The study's worker processes, in the order of their ids; srun and the shell that name them are not meant."""
        part = f"-m ablation.worker --tasks {self.outputs / self.study}/"
        found = [(pid, line) for pid, line in processes(part) if Path(line.split()[0]).name.startswith("python")]
        return sorted(pid for pid, _ in found)

    def at_work(self) -> list["AtWork"]:
        """Who holds the newest lease of which stage."""
        found = {}
        for path in sorted(self.outputs.glob("store/*/.work-*/lease-*.json")):
            try:
                holder = json.loads(path.read_text())
            except (OSError, ValueError):  # given back meanwhile
                continue
            found[path.parent] = AtWork(path.parent.parent.name, path.parent, holder["pid"], holder["job"])
        return list(found.values())

    def stage_of(self, worker: int) -> str | None:
        """The stage whose lease the worker holds; None before and between stages."""
        return next((one.stage for one in self.at_work() if one.worker == worker), None)

    def log(self, task: str = "*") -> str:
        """All that the study's tasks printed, or one of them."""
        logs = sorted((self.outputs / self.study / "logs").glob(f"{task}_*_log.out"))
        return "".join(path.read_text(errors="replace") for path in logs)

    def events(self) -> list[dict[str, object]]:
        """What the workers recorded of all cells."""
        paths = (self.outputs / self.study / "jobs").glob("*.history.jsonl")
        return [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]


def signalled(worker: int, number: int) -> bool:
    """Send a signal to a worker; False when it was gone."""
    try:
        os.kill(worker, number)
    except ProcessLookupError:
        return False
    return True
