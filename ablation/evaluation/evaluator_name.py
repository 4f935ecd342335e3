"""Who asked the questions: engine, numbers and prompt under one short name. Rates of two evaluators do not compare."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablation.specs.base import digest
from ablation.specs.cell import Cell
from ablation.store.records import TIMING_FILE, read_json
from ablation.store.store import Store

# What the sample stage says of its engine (version, template digest), where it says something.
EVALUATOR_FILE = "evaluator.json"
# How many attempts, how many at a time, and when they end, decides no attempt's chances.
_QUANTITIES = ("n", "batch_rows", "stop", "pass_line")


def evaluator_name(cell: Cell, samples: Path) -> str:
    """``ENGINE-PRECISION-DIGEST`` over the sampling parameters and what the stage in `samples` told of its engine."""
    return _name(cell, _parts(cell, samples))


def describe_evaluators(cells: Iterable[Cell], store: Store) -> dict[str, dict[str, Any]]:
    """Every evaluator of the sealed samples of these cells → what its name stands for: ``sample``, ``engine`` and ``parallel``.

    ``engine`` holds the engine's version and the digest of the chat template; ``parallel`` every [tensor, data] parallelism that
    was met, which is no part of the name.
    """
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for folder in (cell.folders[block] for block in cell.blocks):
            if not store.is_complete(folder):
                continue
            samples = store.root / folder
            parts, timing = _parts(cell, samples), read_json(samples / TIMING_FILE)
            split = [timing.get("tensor_parallel"), timing.get("data_parallel")]
            told = found.setdefault(_name(cell, parts), {**parts, "parallel": []})
            if None not in split and split not in told["parallel"]:
                told["parallel"].append(split)
    return found


def _name(cell: Cell, parts: Mapping[str, Any]) -> str:
    return f"{cell.sample.engine}-{cell.sample.precision}-{digest(parts)[:8]}"


def _parts(cell: Cell, samples: Path) -> dict[str, Any]:
    asked = {name: value for name, value in cell.sample.canonical().items() if name not in _QUANTITIES}
    return {"sample": asked, "engine": read_json(samples / EVALUATOR_FILE)}
