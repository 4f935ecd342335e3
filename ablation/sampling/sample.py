"""The sample stage: every question of the benchmark attempted n times."""

import time
from pathlib import Path

from ablation.attempt import Attempt
from ablation.benchmark import read_questions
from ablation.cell import Cell
from ablation.errors import ConfigProblems, RecordError
from ablation.records import COMPLETIONS_FILE, TIMING_FILE, write_json, write_rows
from ablation.sampling.journal import Journal
from ablation.sampling.plan import in_units, planned
from ablation.sampling.transformers_engine import generate
from ablation.tokenizer import load_tokenizer, model_place


def sample(cell: Cell, weights: Path | None, attempt: Attempt) -> None:
    """Write ``completions.jsonl`` ordered by question and attempt; `weights` None samples the base model.

    Goes on from the units that earlier attempts finished; the file is the same, byte for byte, however often that happened.
    Raises Interrupted.
    """
    if cell.sample.engine != "transformers":
        raise ConfigProblems([f"sample.engine: given {cell.sample.engine!r}; allowed here: transformers"])
    started, folder = time.perf_counter(), attempt.out
    place, revision = (str(weights), None) if weights else model_place(cell.model)
    questions, tokenizer = read_questions(cell.benchmark), load_tokenizer(cell.model)
    units = in_units(planned(tokenizer, questions, cell.sample.n), cell.sample.batch_rows)
    with Journal(attempt, units) as journal:
        kept = len(journal.done)
        missing = [unit for unit in units if not journal.holds(unit)]
        for finished in generate(place, revision, tokenizer, missing, cell.sample, cell.seed.sample, attempt.halt):
            journal.keep(finished)
        wanted = [(question.id, number) for question in questions for number in range(cell.sample.n)]
        lost = [key for key in wanted if key not in journal.done]
    if lost:
        raise RecordError(
            f"{len(lost)} of {len(wanted)} attempts came back without a completion, first {lost[0]}; run again"
        )
    write_rows(folder / COMPLETIONS_FILE, (journal.done[key] for key in wanted))
    write_json(folder / TIMING_FILE, {"sample_s": time.perf_counter() - started, "attempts_kept_before": kept})
