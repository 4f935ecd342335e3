"""Who asked the questions: engine, numbers and prompt under one short name. Rates of two evaluators do not compare."""

import json
from pathlib import Path

from ablation.cell import Cell
from ablation.spec import digest

# What the sample stage says of its engine (version, parallelism, template digest), where it says something.
EVALUATOR_FILE = "evaluator.json"
# How many attempts, how many at a time, and when they end, decides no attempt's chances.
_QUANTITIES = ("n", "batch_rows", "stop", "pass_line")


def evaluator(cell: Cell, samples: Path) -> str:
    """``ENGINE-PRECISION-DIGEST`` over the sampling parameters and what the stage in `samples` told of its engine."""
    asked = {name: value for name, value in cell.sample.canonical().items() if name not in _QUANTITIES}
    told = samples / EVALUATOR_FILE
    engine = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    return f"{cell.sample.engine}-{cell.sample.precision}-{digest({'sample': asked, 'engine': engine})[:8]}"
