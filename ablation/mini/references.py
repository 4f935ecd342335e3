"""The counts that the tier rule reads, from the results of studies that ran on the candidates."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from ablation.data.benchmark.tier_rule import ReferenceCount

SMALL_COUNT = 200
FIRST_REFERENCE_SEED = 1000
RESULTS_FILE = "results.parquet"


def role(count: int) -> str:
    """Return the role of a model that was trained on `count` trajectories: base, small or large."""
    if count == 0:
        return "base"
    return "small" if count <= SMALL_COUNT else "large"


def reference_counts(studies: Iterable[Path]) -> list[ReferenceCount[int]]:
    """Read one count for each candidate and model from the `results.parquet` of study folders.

    Raises ValueError when a run used a seed below `FIRST_REFERENCE_SEED`: those seeds are for studies, and tiers
    that were chosen with a study's own runs would flatter it.
    """
    results = pd.concat([pd.read_parquet(study / RESULTS_FILE) for study in studies])
    results = results.drop_duplicates(["cell", "question", "attempt"])
    seeds = results[["seed_data", "seed_train", "seed_sample"]]
    if seeds.lt(FIRST_REFERENCE_SEED).any(axis=None):
        lowest = seeds.to_numpy(int).min()
        raise ValueError(f"a run has seed {lowest}; reference runs need seeds of at least {FIRST_REFERENCE_SEED}")
    results["question"] = results["question"].astype(int)
    results["correct"] = results["verdict"] == "correct"
    table = results.groupby(["question", "count", "cell"])["correct"].agg(["size", "sum"]).reset_index()
    return [
        ReferenceCount(question, role(count), cell, size, correct)
        for question, count, cell, size, correct in _plain(table)
    ]


def _plain(table: pd.DataFrame) -> Iterator[tuple[int, int, str, int, int]]:
    """Yield (question, count, cell, attempts, correct) as plain values."""
    for row in table.to_numpy().tolist():
        yield tuple(row)
