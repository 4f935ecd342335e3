"""Run the same cells through this dispatcher and through the stock hydra-submitit-launcher, and compare wall times.

    pip install hydra-submitit-launcher
    python benchmarks/compare.py                            # all 48 cells of sweep=cnls, local
    python benchmarks/compare.py --cluster slurm            # on a Slurm, e.g. tools/slurm-sandbox up
    python benchmarks/compare.py count=n25,n100 style=r1    # fewer levels, the same on both sides

Ours counts to the end of the report; the stock launcher runs the cells alone (benchmarks/stock_app.py). Both find the pool of
trajectories made, and their verdicts are compared byte for byte. The stock local launcher starts every cell of a batch at once,
each in a process with libraries of its own, about 0.7 GB: all 48 need 33 GB, so that its sweeper is given batches of
`--stock-batch` cells, and waits for each batch. On a busy machine compare processor times, which locally are those of all cells.
Prints a Markdown table for docs/benchmarks.md.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.sweep.cells import compose_sweep
from ablation.data.source import pinned_cell
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell
from ablation.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
_GRID = {
    "category": "algebra,geometry",
    "count": "n25,n50,n100,n200",
    "length": "short,normal,long",
    "style": "r1,gemini",
}
_STOCK = {
    "local": ["hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=1"],
    "slurm": ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=8"],
}
_OURS = {
    "local": ["cluster=local"],
    "slurm": ["cluster=slurm", "cluster.cpus_per_task=8", "cluster.wait=true"],
}


@dataclass(frozen=True)
class Side:
    """One way to run the cells."""

    name: str
    """The name in the table; its first word names the folder."""
    program: Path
    arguments: tuple[str, ...]
    """The arguments that this side alone takes."""


@dataclass(frozen=True)
class Cost:
    """The seconds that one command took."""

    wall_s: float
    cpu_s: float
    """Of the command and of all processes that it waited for; those of Slurm are not among them."""


def main() -> None:
    """Run both sides one after the other in fresh folders and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", choices=sorted(_OURS), default="local")
    parser.add_argument("--cells-per-job", type=int, default=6, help="of ours on Slurm, as one warm process")
    parser.add_argument("--stock-batch", type=int, default=12, help="cells that the stock launcher starts at once here")
    parser.add_argument(
        "--folder", type=Path, default=None, help="a folder that compute nodes see; default: a temporary one"
    )
    parser.add_argument("levels", nargs="*", help="levels in place of the whole grid's, e.g. count=n25,n100")
    arguments = parser.parse_args()
    levels = {**_GRID, **dict(text.split("=", 1) for text in arguments.levels)}
    grid = [f"{key}={value}" for key, value in levels.items()]
    cells = [pinned_cell(cell) for cell in compose_sweep(grid).cells]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        work = Path(folder)
        run_cell(cells[0], Store(work / "pool"), last="sift")
        compared = sides(arguments.cluster, arguments.cells_per_job, arguments.stock_batch, work)
        rows = [(side.name, timed(side, grid, work, cells)) for side in compared]
        check_equal([verdicts(cells, work / name.split()[0].strip(",") / "store") for name, _ in rows])
    ours = rows[0][1]
    command = " ".join(["python benchmarks/compare.py", f"--cluster {arguments.cluster}", *arguments.levels])
    print(
        f"\n`{command}`\n\n| {len(cells)} cells | wall time | ratio | processor time here | ratio |\n|---|---|---|---|---|"
    )
    for name, cost in rows:
        wall, cpu = cost.wall_s, cost.cpu_s
        print(f"| {name} | {wall:.0f} s | {wall / ours.wall_s:.1f} | {cpu:.0f} s | {cpu / ours.cpu_s:.1f} |")


def sides(cluster: str, cells_per_job: int, stock_batch: int, work: Path) -> list[Side]:
    """Return ours, with and without packing on Slurm, then the stock launcher."""
    ours, stock, launch = _OURS[cluster], _STOCK[cluster], ROOT / "launch.py"
    runs = [Side(f"ours, cluster={cluster}", launch, (*ours, "study=compared"))]
    if cluster == "slurm":
        packed = (*ours, f"cluster.cells_per_job={cells_per_job}", "study=compared")
        runs.insert(0, Side(f"ours-packed, cells_per_job={cells_per_job}", launch, packed))
    folders = [
        "hydra/sweeper=basic",
        f"hydra.sweep.dir={work / 'stock' / 'jobs'}",
        "hydra.sweep.subdir=${hydra.job.num}",
    ]
    batches = [f"hydra.sweeper.max_batch_size={stock_batch}"] if cluster == "local" else []
    return [
        *runs,
        Side(" ".join(["stock", stock[0], *batches]), ROOT / "benchmarks/stock_app.py", (*stock, *folders, *batches)),
    ]


def timed(side: Side, grid: Sequence[str], work: Path, cells: Sequence[Cell]) -> Cost:
    """Run one side's command in a folder of its own and return its cost."""
    outputs = work / side.name.split()[0].strip(",")
    shutil.copytree(work / "pool", outputs / "store")
    command = [sys.executable, str(side.program), "-m", *grid, *side.arguments, f"outputs={outputs}", "tracker=none"]
    started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(command, cwd=work, stdout=sys.stderr, check=False)
    if process.returncode:
        sys.exit(f"{side.name} ended with {process.returncode} on {len(cells)} cells")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.monotonic() - started, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def verdicts(cells: Sequence[Cell], store: Path) -> list[bytes]:
    """Return the bytes of each cell's verdicts in a store."""
    return [(Store(store).path(cell.outcome) / "verdicts.jsonl").read_bytes() for cell in cells]


def check_equal(verdicts_by_side: Sequence[list[bytes]]) -> None:
    """Exit when two sides came to different verdicts: then they did not do the same work."""
    if any(other != verdicts_by_side[0] for other in verdicts_by_side[1:]):
        sys.exit("the sides came to different verdicts")


if __name__ == "__main__":
    main()
