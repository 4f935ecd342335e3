"""Measure a whole sweep on this machine: wall time, peak memory, seconds a stage, and the second run that has nothing to do.

    python benchmarks/sweep.py --sweep cnls

Prints a Markdown table for docs/benchmarks.md. Absolute seconds hold for this machine and hour only; the arithmetic speed
beside them says what machine it was.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parent.parent
_POLL_S = 0.5


@dataclass(frozen=True)
class Cost:
    """The cost of one command."""

    wall_s: float
    peak_gb: float
    """The largest sum of resident memory over its process tree."""


def main() -> None:
    """Run the sweep twice in a fresh folder and print the costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", default="cnls")
    arguments = parser.parse_args()
    speed = gflops()
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs"
        first = measured(arguments.sweep, outputs)
        cells = pd.read_parquet(outputs / arguments.sweep / "cells.parquet")
        second = measured(arguments.sweep, outputs)
        imports = import_seconds()
        print_table(arguments.sweep, speed, first, second, cells, imports)


def measured(sweep: str, outputs: Path) -> Cost:
    """Run the sweep as a user does, watching the memory of all its processes."""
    started, peak = time.monotonic(), 0
    command = [sys.executable, str(ROOT / "launch.py"), "-m", f"sweep={sweep}", f"outputs='{outputs}'"]
    process = subprocess.Popen(command, cwd=outputs.parent)
    while process.poll() is None:
        peak = max(peak, resident_bytes(process.pid))
        time.sleep(_POLL_S)
    if process.returncode:
        sys.exit(f"the sweep ended with {process.returncode}")
    return Cost(time.monotonic() - started, peak / 1e9)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants. Shared pages count in each, so this is an upper bound."""
    try:
        root = psutil.Process(pid)
        return sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def gflops(size: int = 1024, repeats: int = 20) -> float:
    """Return the speed of float32 matrix products on one thread, in 10^9 operations a second of processor time."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.randn(size, size)
    started = time.process_time()
    for _ in range(repeats):
        matrix @ matrix
    return 2 * size**3 * repeats / (time.process_time() - started) / 1e9


def import_seconds() -> float:
    """Return the seconds that a fresh process needs before its first update: the imports of the train stage."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import ablation.training.train"], check=True)
    return time.monotonic() - started


def print_table(sweep: str, speed: float, first: Cost, second: Cost, cells: pd.DataFrame, imports_s: float) -> None:
    """Print the Markdown table."""
    rows = [
        ("cells", f"{len(cells)}"),
        ("float32 matrix products on one thread", f"{speed:.0f} GFLOP/s"),
        ("first run, report included", f"{first.wall_s:.0f} s"),
        ("second run, nothing to do", f"{second.wall_s:.1f} s"),
        ("peak memory of all processes", f"{first.peak_gb:.1f} GB"),
        (
            "training, mean and largest a cell",
            f"{cells['train_seconds'].mean():.1f} s, {cells['train_seconds'].max():.1f} s",
        ),
        (
            "sampling, mean and largest a cell",
            f"{cells['sample_seconds'].mean():.1f} s, {cells['sample_seconds'].max():.1f} s",
        ),
        (
            "imports that a process per cell would pay each time",
            f"{imports_s:.1f} s × {len(cells)} = {imports_s * len(cells):.0f} s",
        ),
    ]
    print(f"\n`python benchmarks/sweep.py --sweep {sweep}`\n\n| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
