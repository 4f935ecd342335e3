"""Measure the dispatch of cells: planning, submitting, the overhead of a cell, and the commands on a large study that is done.

    python benchmarks/dispatch.py --cells 10000

Where a Slurm answers (tools/slurm-sandbox up), an array of 1,000 cells is submitted to it, and cancelled at once.

The cells that these commands look at are stand-ins: four stages with files of the right form and a few rows each, made by
functions that take the places of training and sampling, and published through the store as any stage is. So only the commands are
measured, and no number in the tables that they write means anything. Prints a Markdown table for docs/benchmarks.md; absolute
seconds hold for this machine and hour only.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rich.console import Console

from ablation.config.cluster import Local, RuntimeOptions, Slurm
from ablation.config.sweep.cells import compose_sweep
from ablation.data.benchmark import read_questions
from ablation.data.source import pinned_cell
from ablation.jobs.run import pipeline
from ablation.jobs.run.job import Job, JobResult, run_job
from ablation.jobs.run.job import jobs_of as jobs_of_plan
from ablation.jobs.run.live_table import LiveTable
from ablation.jobs.run.local import run_jobs
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.submit.submitter import submit_missing
from ablation.planning.validate import prepare_cells
from ablation.specs.cell import Cell
from ablation.store.records import (
    COMPLETIONS_FILE,
    LOSS_FILE,
    SUMMARY_FILE,
    TIMING_FILE,
    VERDICTS_FILE,
    WEIGHTS_FOLDER,
    Completion,
    Update,
    Verdict,
    read_rows,
    write_json,
    write_rows,
)
from ablation.store.stage_run import StageRun
from ablation.store.store import Store
from ablation.study.manifest import open_study
from ablation.study.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
_A_SEED = 49  # cells of sweep=cnls, the base model among them
_QUESTIONS = 2


@dataclass(frozen=True)
class Cost:
    """The seconds of one command: wall as its user waits for it, and processor, which a busy machine hardly changes."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s | {self.cpu_s:.1f} s"


def main() -> None:
    """Measure everything in a fresh folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000, help="about this many in the large study")
    parser.add_argument("--warm", type=int, default=500, help="stand-in cells that run in one warm worker")
    parser.add_argument(
        "--slurm",
        action=argparse.BooleanOptionalAction,
        default=shutil.which("sbatch") is not None,
        help="submit to the Slurm here",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        overrides = [*benchmark_of_two(work), "sample.n=1", "tracker=none", f"outputs={work / 'outputs'}"]
        rows = [
            (f"`ablation plan`, {cells_of(count):,} cells", f"{cost_of(plan(grid(count, overrides)))}", f"{wanted} s")
            for count, wanted in ((1_000, 10), (arguments.cells, 60))
        ]
        if arguments.slurm:
            rows.append(
                (
                    f"submitting {cells_of(1_000):,} cells, once planned",
                    f"{cost_of_submitting(1_000, overrides)}",
                    "5 s",
                )
            )
        large = grid(arguments.cells, overrides)
        cells = stand_ins(large, work / "outputs")
        warm_s = warm_worker(cells[: arguments.warm], work)
        rows.append((f"overhead of a cell in a warm worker, mean of {arguments.warm}", f"{warm_s:.3f} s | –", "0.3 s"))
        publish(cells[arguments.warm :], work)
        rows += [
            ("the launch command when all cells have just ended: tables and report", f"{cost_of(launch(large))}", "–"),
            ("the launch command again, nothing to do", f"{cost_of(launch(large))}", "10 s"),
            (f"`ablation status --json`, {len(cells):,} cells", f"{cost_of(status(work, '--json'))}", "2 s"),
            ("`ablation status`, the same as tables", f"{cost_of(status(work))}", "2 s"),
        ]
    print(f"\n`python benchmarks/dispatch.py --cells {arguments.cells}`\n")
    print("| what | wall time | processor time | wanted, at most |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def grid(cells: int, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of the embedded grid, with as many seeds as `cells` take."""
    return ["sweep=cnls", f"seed=range(0,{ceil(cells / _A_SEED)})", *overrides]


def cells_of(cells: int) -> int:
    """Return the number of cells of that grid."""
    return _A_SEED * ceil(cells / _A_SEED)


def plan(arguments: Sequence[str]) -> list[str]:
    """Return the command that plans."""
    return [sys.executable, "-m", "ablation.cli", "plan", *arguments]


def launch(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs a sweep."""
    return [sys.executable, str(ROOT / "launch.py"), "-m", *arguments]


def status(work: Path, *options: str) -> list[str]:
    """Return the command that looks at the large study."""
    return [sys.executable, "-m", "ablation.cli", "status", "cnls", "--outputs", str(work / "outputs"), *options]


def cost_of(command: Sequence[str]) -> Cost:
    """Run one command to its end and return its cost."""
    started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{process.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.monotonic() - started, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def cost_of_submitting(count: int, overrides: Sequence[str]) -> Cost:
    """Measure from planned cells to the id of their array, which is cancelled before anything of it has run for long."""
    all_overrides = [
        *grid(count, overrides),
        "study=submitted",
        "cluster=slurm",
        "cluster.cpus_per_task=8",
        "cluster.canary=false",
    ]
    sweep = compose_sweep(all_overrides)
    cluster, outputs = sweep.execution.cluster, Path(sweep.execution.outputs)
    if not isinstance(cluster, Slurm):
        raise TypeError(cluster)
    cells = tuple(prepare_cells(sweep.cells, Store(outputs / "store"), print, cluster))
    plan = Plan(cells, (), sweep.execution, "", "", None)
    open_study(plan)
    started, used = time.monotonic(), time.process_time()
    submitted = submit_missing(jobs_of_plan(plan, cells), cluster, plan.folder)
    cost = Cost(time.monotonic() - started, time.process_time() - used)
    slurm.cancel([str(task.job) for task in submitted.taken])
    return cost


def benchmark_of_two(folder: Path) -> list[str]:
    """Write a benchmark of two questions of the embedded one and return its overrides."""
    shipped = (ROOT / "ablation/mini/data/benchmark.jsonl").read_text().splitlines()[:_QUESTIONS]
    (folder / "two.jsonl").write_text("\n".join(shipped) + "\n")
    ids = [json.loads(line)["id"] for line in shipped]
    (folder / "tiers.yaml").write_text(json.dumps({"easy": ids[:1], "hard": ids[1:]}))
    return [f"benchmark.source.path={folder}/two.jsonl", f"benchmark.tiers.path={folder}/tiers.yaml"]


def stand_ins(arguments: Sequence[str], outputs: Path) -> list[Cell]:
    """Return the cells of a large study, with their real pool made."""
    cells = [pinned_cell(cell) for cell in compose_sweep(arguments).cells]
    return prepare_cells(cells, Store(outputs / "store"), print, Local(kind="local"))


def jobs_of(cells: Sequence[Cell], work: Path) -> list[Job]:
    """Return a job for each cell, as a local launch makes them."""
    logs = work / "outputs/cnls/logs"
    logs.mkdir(parents=True, exist_ok=True)
    return [
        Job(cell, cell.name, work / "outputs/store", logs / f"{cell.name}.log", 1, RuntimeOptions(None, 0.0))
        for cell in cells
    ]


def warm_worker(cells: Sequence[Cell], work: Path) -> float:
    """Return the mean wall seconds between two ends of stand-in cells in one warm worker, with all that dispatch does."""
    jobs = jobs_of(cells, work)
    with Path(os.devnull).open("w") as nowhere:
        table = TimedTable(Console(file=nowhere), len(jobs), 1)
        failed = [outcome.error for outcome in run_jobs(jobs, Local(kind="local", workers=1), table) if outcome.error]
    if failed:
        sys.exit(f"{len(failed)} stand-in cells failed: {failed[0]}")
    return (table.ends_s[-1] - table.ends_s[0]) / (len(jobs) - 1)


class TimedTable(LiveTable):
    """A live table that keeps the moment at which each cell ended."""

    def __init__(self, console: Console, total: int, workers: int) -> None:
        super().__init__(console, total, workers)
        self.ends_s: list[float] = []

    def ended(self, outcome: JobResult) -> None:
        """Keep the moment, and go on as any table."""
        self.ends_s.append(time.monotonic())
        super().ended(outcome)


def publish(cells: Sequence[Cell], work: Path) -> None:
    """Make the other stand-ins in this process. How long that takes is not measured, so that nobody waits for the disk."""
    take_places()
    os.fsync = int  # type: ignore[assignment]
    for number, job in enumerate(jobs_of(cells, work)):
        if error := run_job(job).error:
            sys.exit(f"{job.name}: {error}")
        if number % 1000 == 0:
            print(f"{number} of {len(cells)} stand-in cells", file=sys.stderr)


def take_places() -> None:
    """Replace the stages that work by stand-ins; the pool stays as it is."""
    vars(pipeline).update(_select=_select, _train=_train, _sample=_sample, _grade=_grade)


def _select(_cell: Cell, _sift: Path, _near: Path | None, run: StageRun) -> None:
    write_json(run.out / SUMMARY_FILE, {"tokens": {"p10": 1.0, "p50": 1.0, "p90": 1.0}})


def _train(_cell: Cell, _selection: Path, _pool: Path, _means: RuntimeOptions, run: StageRun) -> None:
    (run.out / WEIGHTS_FOLDER).mkdir()
    (run.out / WEIGHTS_FOLDER / "model.safetensors").write_bytes(b"stand-in")
    counts = ("updates", "train_examples", "train_tokens", "target_tokens", "truncated_examples")
    write_json(run.out / SUMMARY_FILE, {**dict.fromkeys(counts, 1), "train_loss": 1.0})
    write_json(run.out / TIMING_FILE, {"load_s": 0.0, "train_s": 0.0, "save_s": 0.0})
    update = Update(update=1, loss=1.0, learning_rate=0.0, grad_norm=0.0, examples=1, tokens=1, total_tokens=1)
    write_rows(run.out / LOSS_FILE, [update])


def _sample(cell: Cell, attempts: range, _trained: Path | None, run: StageRun) -> None:
    completions = [
        Completion(question=question.id, attempt=number, text="\\boxed{1}", tokens=1, finish_reason="stop")
        for question in read_questions(cell.benchmark)
        for number in attempts
    ]
    write_rows(run.out / COMPLETIONS_FILE, completions)
    write_json(run.out / TIMING_FILE, {"sample_s": 0.0})


def _grade(_cell: Cell, samples: list[Path], run: StageRun) -> None:
    rows = read_rows(samples[0] / COMPLETIONS_FILE, Completion)
    judged = [Verdict(question=row.question, attempt=row.attempt, verdict="wrong", extracted="1") for row in rows]
    write_rows(run.out / VERDICTS_FILE, judged)


if __name__ == "__mp_main__":  # a warm worker imports this file, too
    take_places()

if __name__ == "__main__":
    main()
