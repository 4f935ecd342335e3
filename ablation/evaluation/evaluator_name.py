"""One short name for engine, numbers and prompt of an evaluation. Rates of two evaluators do not compare."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablation.specs.base import digest
from ablation.specs.cell import Cell
from ablation.store.records import TIMING_FILE, read_json
from ablation.store.store import Store

# Written by the sample stage: the version of its engine and the digest of the chat template.
EVALUATOR_FILE = "evaluator.json"
# The number of attempts, how many run at a time and when they end: none of these decides an attempt's chances.
_QUANTITIES = ("n", "batch_rows", "stop", "pass_line")


def evaluator_name(cell: Cell, samples: Path) -> str:
    """Return ``ENGINE-PRECISION-DIGEST``, by the sampling parameters and by the engine that the folder `samples` records."""
    return _name(cell, _parts(cell, samples))


def describe_evaluators(cells: Iterable[Cell], store: Store) -> dict[str, dict[str, Any]]:
    """Return a description of every evaluator in the complete samples of these cells, by its name.

    A description has three keys. ``sample`` holds the sampling parameters. ``engine`` holds the engine's version and the digest
    of the chat template. ``parallel`` lists every [tensor, data] parallelism that occurs, which is no part of the name.
    """
    evaluators: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for folder in (cell.folders[block] for block in cell.blocks):
            if not store.is_complete(folder):
                continue
            samples = store.root / folder
            parts, timing = _parts(cell, samples), read_json(samples / TIMING_FILE)
            split = [timing.get("tensor_parallel"), timing.get("data_parallel")]
            description = evaluators.setdefault(_name(cell, parts), {**parts, "parallel": []})
            if None not in split and split not in description["parallel"]:
                description["parallel"].append(split)
    return evaluators


def _name(cell: Cell, parts: Mapping[str, Any]) -> str:
    return f"{cell.sample.engine}-{cell.sample.precision}-{digest(parts)[:8]}"


def _parts(cell: Cell, samples: Path) -> dict[str, Any]:
    parameters = {name: value for name, value in cell.sample.canonical().items() if name not in _QUANTITIES}
    return {"sample": parameters, "engine": read_json(samples / EVALUATOR_FILE)}
