"""Faults at random moments over a whole study: ``python -m tests.chaos.run --cells 24 --kills 200 --seed 1 --folder DIR``.

The seed gives the kinds of the faults and the pauses between them; what they hit depends on the machine too. The study is
launched again as a user would, and must end complete and equal to one that nothing happened to. Needs the Slurm of
`tools/slurm-sandbox`, for itself: daemons are killed.

Walks through all rooms, by the commands alone.
"""

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.slurm.daemons import are_here, until
from tests.slurm.invariants import assert_nothing_lost
from tests.slurm.launched import Launched

# Every update of the training is kept, and there are many short batches: what is killed at any moment leaves something behind.
CELLS = ("sweep=smoke", "tracker=none", "sample.batch_rows=16", "cluster.checkpoint_s=0")
LONG = ("train.epochs=10", "sample.n=8", "sample.max_tokens=48")
# What fails is launched again at once, so nothing waits for a canary and nothing is held.
CLUSTER = ("cluster=slurm", "cluster.cpus_per_task=8", "cluster.canary=false", "cluster.hold_after=0")
_SMALLEST = 8
# A user who looks in every so often.
_LOOK_S = 10.0
_STAGES = ("select", "train", "sample", "grade")
# Faults by which they may be ahead of the study: what has just begun is hit too.
_AHEAD = 5


def pair(cells: int, folder: Path, work: Sequence[str] = LONG) -> tuple[Launched, Launched]:
    """The study to be disturbed, and the same on local workers. `cells` is even: two styles of every count.

    `work` are the words that say how much there is to do in a cell.
    """
    counts = ",".join(str(_SMALLEST + step) for step in range(cells // 2))
    words = (*CELLS, *work, f"count.size={counts}")
    return (
        Launched(folder / "disturbed", "chaos", words, CLUSTER),
        Launched(folder / "undisturbed", "chaos", words),
    )


@dataclass
class Chaos:
    """One run. `hits` counts faults by kind, `stages` what the killed workers were at."""

    study: Launched
    seed: int
    pause_s: float
    hits: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    launches: int = 0
    _launching: subprocess.Popen[bytes] | None = None
    _began: float = field(default_factory=time.monotonic)
    _looked: float = float("-inf")

    def __post_init__(self) -> None:
        self.chance, self.luck = random.Random(self.seed), random.Random(self.seed + 1)

    def run(self, kills: int, within_s: float) -> None:
        """Disturb until `kills` faults have hit, the time is over or the study is complete; then let it end."""
        self.study.folder.mkdir(parents=True, exist_ok=True)
        while self.hits.total() < kills and time.monotonic() - self._began < within_s:
            pause = self.chance.expovariate(1 / self.pause_s)
            [kind] = self.chance.choices(list(FAULTS), [share for share, _ in FAULTS.values()])
            if not self._wait(pause) or not self._wait_for_progress(kills) or not self._strike(kind):
                break
        self._say("no more faults; the study may end")
        self._settle()

    def summary(self) -> str:
        """The counts, a line each."""
        events = self.study.events()
        begun = sum(event["what"] == "began" for event in events)
        return "\n".join(
            [
                f"seed {self.seed}: {self.hits.total()} faults in {time.monotonic() - self._began:.0f} s",
                *(f"  {count:4d} × {kind}" for kind, count in self.hits.most_common()),
                "killed or ended workers were at:",
                *(f"  {count:4d} × {stage}" for stage, count in self.stages.most_common()),
                f"{self.launches} launches, {begun} times a worker began with a cell",
            ]
        )

    def _wait(self, seconds: float) -> bool:
        """Keep the study going for so long; False once it is complete."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._look_in()
            time.sleep(0.2)
            if self._is_complete():
                return False
        return True

    def _wait_for_progress(self, kills: int) -> bool:
        """Let no more faults hit than the study has come forward, so that they meet all of it; False once it is complete."""
        stages = len(_STAGES) * self._cells()
        while self.hits.total() > _AHEAD + kills * len(self._published()) / stages:
            if not self._wait(0.5):
                return False
        return True

    def _strike(self, kind: str) -> bool:
        """Do it as soon as it finds a victim; False when the study is complete before."""
        while (hit := FAULTS[kind][1](self.study, self.luck)) is None:
            if not self._wait(0.5):
                return False
        self.hits[kind] += 1
        if "worker" in kind:
            self.stages[hit.partition(" in process")[0]] += 1
        self._say(f"{self.hits.total():4d} {kind}: {hit}")
        return True

    def _look_in(self) -> None:
        """Launch again when cells are neither complete nor in the queue, and spare requeued tasks their wait."""
        self.study.start_requeued()
        if (self._launching and self._launching.poll() is None) or time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        if self._launching is None or len(self.study.queue()) < self._left():
            self.launches += 1
            with (self.study.folder / "launches.log").open("ab") as log:
                self._launching = subprocess.Popen(self.study.command(), cwd=self.study.folder, stdout=log, stderr=log)

    def _settle(self) -> None:
        def is_complete() -> bool:
            self._look_in()
            return self._is_complete()

        until(is_complete, within_s=1800.0)
        if self._launching:
            self._launching.wait()
        until(lambda: not self.study.workers() and not self.study.queue())

    def _left(self) -> int:
        return self._cells() - len(self._graded())

    def _is_complete(self) -> bool:
        return self._left() == 0

    def _cells(self) -> int:
        [counts] = [word for word in self.study.cells if word.startswith("count.size=")]
        return 2 * len(counts.split(","))

    def _graded(self) -> list[Path]:
        return [path for path in self._published() if path.parent.name == "grade"]

    def _published(self) -> list[Path]:
        """The finished stages that a cell has for itself."""
        paths = [path for stage in _STAGES for path in (self.study.outputs / "store" / stage).glob("*")]
        return [path for path in paths if not path.name.startswith(".")]

    def _say(self, text: str) -> None:
        planned = len(_STAGES) * self._cells()
        print(
            f"{time.monotonic() - self._began:7.1f} s  {text}  [{len(self._published())} of {planned} stages]",
            flush=True,
        )


def main() -> int:
    """Exit code 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=24, help="an even number")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pause-s", type=float, default=3.0, help="mean seconds between two faults")
    parser.add_argument(
        "--folder", type=Path, required=True, help="where both studies go; the undisturbed one may be there"
    )
    parser.add_argument("--within-min", type=float, default=60.0, help="no more faults after so many minutes")
    arguments = parser.parse_args()
    if not are_here():
        print("no Slurm of tools/slurm-sandbox runs here", file=sys.stderr)
        return 2
    disturbed, undisturbed = pair(arguments.cells, arguments.folder.resolve())
    chaos = Chaos(disturbed, arguments.seed, arguments.pause_s)
    chaos.run(arguments.kills, arguments.within_min * 60)
    print(chaos.summary(), flush=True)
    undisturbed.launch()
    disturbed.launch()
    assert_nothing_lost(disturbed, undisturbed.results())
    print(f"{arguments.cells} cells: complete, each stage published once, equal to the undisturbed study byte for byte")
    return 0


if __name__ == "__main__":
    sys.exit(main())
