"""Measure the analysis: a study of 192 cells × 30 questions × 64 attempts, then ten times the rows. Prints a Markdown table.

    nice python -m benchmarks.analysis                # 192 cells, and ten times as many attempts and cells
    nice python -m benchmarks.analysis --only 192x64  # one study

Each study is analysed in a process of its own, so that the peak memory is its own; making the records is not measured.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit

from ablation.analysis import Analysis, analyse, load
from ablation.analysis.power.simulation import SimulatedWorld
from ablation.analysis.records.load import SEED_COLUMNS

DRAWS = 10_000
# Seeds of 96 settings, attempts, words of a text (0: no texts).
SIZES = {"192x64": (2, 64, 60), "192x640": (2, 640, 0), "1920x64": (20, 64, 0)}
WORDS = ("we", "have", "so", "then", "now", "wait,", "check:", "hence", "the", "sum", "is", *map(str, range(90)))
TEXTS = pa.schema([("cell", pa.string()), ("question", pa.string()), ("attempt", pa.int64()), ("text", pa.string())])
LAZY = (
    "conditions", "interactions", "model", "components", "budget", "equivalence", "passing", "growth", "ladder", "rasch",
    "pooled_coverage", "per_step",
)  # fmt: skip


def records(folder: Path, seeds: int, n: int, words: int) -> Path:
    """Write the records of a simulated study of 96 settings × `seeds`, with texts of `words` made-up words."""
    rng, world = np.random.default_rng(0), SimulatedWorld(seed_sd=0.15)
    tiers, log_odds_q = world.log_odds(rng)
    levels = (
        ["algebra", "diverse", "geometry", "all"],
        [100, 200, 500, 1000],
        ["short", "normal", "long"],
        ["r1", "gemini"],
    )
    cells = pd.DataFrame(
        [[*setting, seed] for setting in product(*levels) for seed in range(seeds)],
        columns=["category", "count", "length", "style", "seed"],
    )
    for name in SEED_COLUMNS:
        cells[name] = cells["seed"]
    cells.insert(0, "cell", [f"cell-{index:04}" for index in range(len(cells))])
    shift_c = (
        0.3 * np.log2(cells["count"] / 300) - 0.5 * (cells["style"] == "gemini") + 0.15 * rng.normal(size=len(cells))
    )
    rates_cq = expit(log_odds_q + shift_c.to_numpy()[:, None] + 0.3 * rng.normal(size=(len(cells), len(tiers))))
    correct_cqa = rng.uniform(size=(*rates_cq.shape, n)) < rates_cq[..., None]
    c, q, a = np.indices(correct_cqa.shape).reshape(3, -1)
    questions = np.array([f"q{index:02}" for index in range(len(tiers))])
    results = cells.iloc[c].reset_index(drop=True).assign(
        question=pd.Series(questions[q], dtype="string"), tier=pd.Series(np.array(tiers)[q], dtype="string"), attempt=a,
        verdict=pd.Series(np.where(correct_cqa.ravel(), "correct", "wrong"), dtype="string"),
        finish_reason="stop", tokens=rng.integers(50, 150, len(c)), extracted="1", evaluator="one", grader="1",
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    results.to_parquet(folder / "results.parquet")
    cells.assign(state="done").to_parquet(folder / "cells.parquet")
    planned = [{"cell": cell, "planned_attempts": n * len(tiers)} for cell in cells["cell"]]
    manifest = {"format": 1, "study": "made-up", "n": n, "tiers": list(world.rates), "cells": planned}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if words:
        _write_texts(folder / "completions.parquet", results[["cell", "question", "attempt"]], words, rng)
    return folder


def _write_texts(path: Path, attempts: pd.DataFrame, words: int, rng: np.random.Generator) -> None:
    with pq.ParquetWriter(path, TEXTS) as writer:
        for _, rows in attempts.groupby("cell", sort=False):
            spoken = [" ".join(row) for row in np.array(WORDS)[rng.integers(len(WORDS), size=(len(rows), words))]]
            writer.write_table(pa.Table.from_pandas(rows.assign(text=spoken), TEXTS, preserve_index=False))


def measure(folder: Path) -> dict[str, float]:
    """Return the seconds of each part and of all, the processor time, and the peak memory in GB of this process."""
    parts: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        began = time.perf_counter()
        result = work()
        parts[name] = time.perf_counter() - began
        return result

    began, worked = time.perf_counter(), time.process_time()
    study = timed("load", lambda: load(folder))
    analysis = timed("analyse", lambda: analyse(study, draws=DRAWS))  # type: ignore[arg-type]
    assert isinstance(analysis, Analysis)
    for name in LAZY:
        timed(name, lambda name=name: getattr(analysis, name))  # type: ignore[misc]
    parts |= {"all, wall": time.perf_counter() - began, "all, processor": time.process_time() - worked}
    parts |= {"peak memory": _peak_gb(), "rows": float(len(analysis.study.results))}
    if study.texts:  # type: ignore[attr-defined]
        worked = time.process_time()
        timed("texts, wall", lambda: analysis.trajectories)
        parts |= {"texts, processor": time.process_time() - worked, "peak memory with texts": _peak_gb()}
    return parts


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure each study in a process of its own and print one column a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SIZES)
    parser.add_argument("--folder", type=Path, help="measure the study that is there, and print JSON")
    parser.add_argument("--make", choices=SIZES, help="make the records of a study in that folder")
    arguments = parser.parse_args()
    if arguments.make:
        records(arguments.folder, *SIZES[arguments.make])
        return
    if arguments.folder:
        print(json.dumps(measure(arguments.folder)))
        return
    measurements = {}
    for name in [arguments.only] if arguments.only else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            # The records are made in another process than they are analysed in, so that they are not in its memory.
            command = [sys.executable, "-m", "benchmarks.analysis", "--folder", folder]
            subprocess.run([*command, "--make", name], check=True)
            process = subprocess.run(command, check=True, capture_output=True, text=True)
        measurements[name] = json.loads(process.stdout)
        print(name, process.stdout, file=sys.stderr, flush=True)
    heads = [f"{name} ({int(parts['rows']):,} rows)" for name, parts in measurements.items()]
    print(f"| what | {' | '.join(heads)} |")
    print("|---|" + "---|" * len(measurements))
    for part in next(iter(measurements.values())):
        if part != "rows":
            unit = "GB" if "memory" in part else "s"
            values = [f"{parts[part]:.2f} {unit}" if part in parts else "–" for parts in measurements.values()]
            print(f"| {part} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
