"""The sample stage: every question of the benchmark attempted n times."""

import time
from pathlib import Path

from ablation.attempt import Attempt
from ablation.benchmark import read_questions
from ablation.cell import Cell
from ablation.errors import ConfigProblems
from ablation.records import COMPLETIONS_FILE, TIMING_FILE, write_json, write_rows
from ablation.sampling.transformers_engine import generate
from ablation.tokenizer import load_tokenizer, model_place


def sample(cell: Cell, weights: Path | None, attempt: Attempt) -> None:
    """Write ``completions.jsonl`` ordered by question and attempt; `weights` None samples the base model."""
    if cell.sample.engine != "transformers":
        raise ConfigProblems([f"sample.engine: given {cell.sample.engine!r}; allowed here: transformers"])
    started, folder = time.perf_counter(), attempt.out
    place, revision = (str(weights), None) if weights else model_place(cell.model)
    questions = read_questions(cell.benchmark)
    rows = list(generate(place, revision, load_tokenizer(cell.model), questions, cell.sample, cell.seed.sample))
    order = {question.id: index for index, question in enumerate(questions)}
    write_rows(folder / COMPLETIONS_FILE, sorted(rows, key=lambda row: (order[row.question], row.attempt)))
    write_json(folder / TIMING_FILE, {"sample_s": time.perf_counter() - started})
