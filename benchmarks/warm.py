"""Measure the savings of a warm process: small LoRA cells one after another in one process, against a fresh process for each.

    python -m benchmarks.warm
    python -m benchmarks.warm --start-up

Prints Markdown tables for docs/benchmarks.md. Each arm is what a compute node runs, ``python -m ablation.jobs.run.worker``, on
a store that holds the selections and nothing else; that all arms write the same bytes is checked. Processor time is that of all
threads. The second form prints the parts of the start of a fresh process.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.cluster import RuntimeOptions
from ablation.config.sweep.cells import compose_sweep
from ablation.data.source import pinned_cell
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, TaskList, write_job
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.records import TIMING_FILE
from ablation.store.store import Store

PHASES = {
    "import_s": "libraries of training",
    "load_s": "data and base model",
    "setup_s": "trainer and optimizer",
    "train_s": "updates",
    "save_s": "merging and writing",
}


@dataclass(frozen=True)
class Arm:
    """One way to run the cells, its cost, and the store that it wrote to."""

    name: str
    wall_s: float
    processor_s: float
    processes: int
    store: Store


def main() -> None:
    """Run the arms one after another and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--examples", type=int, default=25)
    parser.add_argument("--start-up", action="store_true", help="only what the start of a fresh process is made of")
    arguments = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", WANDB_MODE="offline", HF_HUB_OFFLINE="1")
    cells = small_cells(arguments.cells, arguments.examples)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for cell in cells:
            run_cell(cell, Store(work / "selected"), last="select")
        if arguments.start_up:
            print_start(work, cells[0])
            return
        one_by_one = [(cell,) for cell in cells]
        arms = [
            measure(work, "a fresh process for each cell", one_by_one, RuntimeOptions()),
            measure(work, "one warm process, cluster.share_base=false", [cells], RuntimeOptions()),
            measure(work, "one warm process, cluster.share_base=true", [cells], RuntimeOptions(keeps_base=True)),
        ]
        for arm in arms[1:]:
            assert contents(arm.store, cells) == contents(arms[0].store, cells), f"{arm.name} wrote other bytes"
        print_arms(arms, len(cells))
        print_phases(arms, cells)


def small_cells(count: int, examples: int) -> list[Cell]:
    """Return LoRA cells of one recipe on the embedded corpus, which differ in their seeds."""
    grid = compose_sweep(["sweep=smoke", "train=mini_lora", f"count.size={examples}"])
    cell = pinned_cell(grid.cells[-1])
    return [cell.model_copy(update={"seed": cell.seed.model_copy(update={"train": seed})}) for seed in range(count)]


def measure(work: Path, name: str, tasks: Sequence[Sequence[Cell]], means: RuntimeOptions) -> Arm:
    """Run the tasks of an array one after another and return their cost."""
    folder = work / str(len(list(work.iterdir())))
    store = Store(folder / "store")
    shutil.copytree(work / "selected", store.root)
    frozen = [
        tuple(
            str(write_job(Job(cell, cell.name, store.root, folder / "log", 1, means), folder, Provenance.here()))
            for cell in cells
        )
        for cells in tasks
    ]
    order = TaskList("warm", "train", tuple(frozen), timeout_min=60, requeues=0, hold_after=0)
    order.write(folder / "tasks.json")
    began, before = time.monotonic(), children_s()
    for index in range(len(tasks)):
        command = [
            sys.executable,
            "-m",
            "ablation.jobs.run.worker",
            "--tasks",
            str(folder / "tasks.json"),
            "--index",
            str(index),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return Arm(name, time.monotonic() - began, children_s() - before, len(tasks), store)


def children_s() -> float:
    """Return the processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def contents(store: Store, cells: Sequence[Cell]) -> dict[str, bytes]:
    """Return the bytes of all weights, loss curves and summaries."""
    kinds = ("weights/model.safetensors", "loss.jsonl", "summary.json")
    folders = {store.root / cell.folders["train"] for cell in cells}
    return {f"{folder.name}/{kind}": (folder / kind).read_bytes() for folder in folders for kind in kinds}


def print_arms(arms: Sequence[Arm], cells: int) -> None:
    """Print cells a minute and the ratio to the first arm."""
    print(f"| {cells} LoRA cells | wall time | processor time | cells a minute | ratio | ratio of processor times |")
    print("|---|---|---|---|---|---|")
    first = arms[0]
    for arm in arms:
        print(
            f"| {arm.name} | {arm.wall_s:.0f} s | {arm.processor_s:.0f} s | {60 * cells / arm.wall_s:.1f} "
            f"| {first.wall_s / arm.wall_s:.1f} | {first.processor_s / arm.processor_s:.1f} |"
        )


# Each line is timed; the first finds what the interpreter has taken by then.
STEPS = {
    "the interpreter": "pass",
    "our modules (`ablation.jobs.run.worker`)": (
        "from pathlib import Path; from ablation.jobs.run.worker import read_job, run_job"
    ),
    "torch": "import torch; torch.set_num_threads(1)",
    "transformers, datasets, PEFT, TRL": "from ablation.training.train import train",
    "training one cell": "run_job(read_job(Path(sys.argv[1]))[0], last='train')",
}


def print_start(work: Path, cell: Cell, rounds: int = 3) -> None:
    """Print the processor and wall time of each step in a fresh process, medians over the rounds."""
    moments_by_round: list[list[list[float]]] = []
    program = "import json, sys, time\nmoments = []\n"
    for code in STEPS.values():
        program += f"{code}\nmoments.append([time.process_time(), time.monotonic()])\n"
    program += "print(json.dumps(moments))"
    for number in range(rounds):
        store = Store(work / f"started-{number}")
        shutil.copytree(work / "selected", store.root)
        job = write_job(
            Job(cell, cell.name, store.root, work / "log", 1, RuntimeOptions()), store.root, Provenance.here()
        )
        began = time.monotonic()
        out = subprocess.run([sys.executable, "-c", program, str(job)], check=True, capture_output=True, text=True)
        moments_by_round.append([[0.0, began], *json.loads(out.stdout.splitlines()[-1])])
    print("| a fresh process, step by step | processor time | wall time |\n|---|---|---|")
    for step, name in enumerate(STEPS):
        processor, wall = (
            statistics.median(moments[step + 1][kind] - moments[step][kind] for moments in moments_by_round)
            for kind in (0, 1)
        )
        print(f"| {name} | {processor:.2f} s | {wall:.2f} s |")


def print_phases(arms: Sequence[Arm], cells: Sequence[Cell]) -> None:
    """Print the seconds of the median cell of each arm, by the phases of its record."""
    print("\n| seconds of the median cell | " + " | ".join(arm.name for arm in arms) + " |")
    print("|---|" + "---|" * len(arms))
    timings_by_arm = [[timing_of(arm.store, cell) for cell in cells] for arm in arms]
    print(
        "| interpreter, our modules, the end | "
        + " | ".join(f"{rest_s(arm, timings):.2f}" for arm, timings in zip(arms, timings_by_arm, strict=True))
        + " |"
    )
    for key, name in (*PHASES.items(), ("seconds_to_first_update", "**libraries to first update**")):
        medians = [statistics.median(timing[key] for timing in timings) for timings in timings_by_arm]
        print(f"| {name} | " + " | ".join(f"{median:.2f}" for median in medians) + " |")


def rest_s(arm: Arm, timings: Sequence[Mapping[str, float]]) -> float:
    """Return the seconds a cell that no phase of a training has counted."""
    return (arm.wall_s - sum(timing[key] for timing in timings for key in PHASES)) / len(timings)


def timing_of(store: Store, cell: Cell) -> dict[str, float]:
    """Read the seconds of a training."""
    seconds: dict[str, float] = json.loads((store.root / cell.folders["train"] / TIMING_FILE).read_text())
    return seconds


if __name__ == "__main__":
    main()
