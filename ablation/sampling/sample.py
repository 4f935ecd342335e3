"""The sample stage: every question of the benchmark attempted in one block of attempts."""

import time
from collections.abc import Sequence
from pathlib import Path

from ablation.attempt import Attempt
from ablation.benchmark import read_questions
from ablation.cell import Cell
from ablation.errors import RecordError
from ablation.evaluator import EVALUATOR_FILE
from ablation.records import COMPLETIONS_FILE, TIMING_FILE, Completion, write_json, write_rows
from ablation.sampling.engine import engine
from ablation.sampling.journal import Journal
from ablation.sampling.plan import Sampling, in_units, planned
from ablation.spec import digest
from ablation.tokenizer import load_tokenizer, model_place


def sample(cell: Cell, attempts: range, weights: Path | None, attempt: Attempt) -> None:
    """Write ``completions.jsonl`` ordered by question and attempt; `weights` None samples the base model.

    Goes on from the units that earlier tries finished; with the reference engine the file is the same, byte for byte, however
    often that happened. Raises Interrupted.
    """
    started, folder, runs = time.perf_counter(), attempt.out, engine(cell.sample.engine)
    place, revision = (str(weights), None) if weights else model_place(cell.model)
    questions, tokenizer = read_questions(cell.benchmark), load_tokenizer(cell.model)
    sampling = Sampling(place, revision, tokenizer, cell.sample, cell.seed.sample)
    units = in_units(planned(tokenizer, questions, attempts), runs.unit_rows(cell.sample))
    with Journal(attempt, units) as journal:
        kept = len(journal.done)
        missing = [unit for unit in units if not journal.holds(unit)]
        for finished in runs.generate(sampling, missing, attempt.halt):
            journal.keep(finished)
        rows = _in_order(journal, [(question.id, number) for question in questions for number in attempts])
    write_rows(folder / COMPLETIONS_FILE, rows)
    template = digest(tokenizer.chat_template)
    write_json(folder / EVALUATOR_FILE, {"engine": runs.version(cell.sample), "template": template})
    timing = {"sample_s": time.perf_counter() - started, "attempts_kept_before": kept}
    write_json(folder / TIMING_FILE, {**timing, "tensor_parallel": cell.sample.tensor_parallel})


def _in_order(journal: Journal, wanted: Sequence[tuple[str, int]]) -> list[Completion]:
    lost = [key for key in wanted if key not in journal.done]
    if lost:
        raise RecordError(
            f"{len(lost)} of {len(wanted)} attempts came back without a completion, first {lost[0]}; run again"
        )
    return [journal.done[key] for key in wanted]
