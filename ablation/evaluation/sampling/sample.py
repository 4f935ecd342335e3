"""The sample stage: every question of the benchmark attempted in one block of attempts, or as many as decide a pass line."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.data.benchmark import sampled_questions
from ablation.data.tokenizer import load_tokenizer, model_location
from ablation.errors import RecordError
from ablation.evaluation.evaluator_name import EVALUATOR_FILE
from ablation.evaluation.sampling.adapter import holds_adapter
from ablation.evaluation.sampling.early_stop import early_stop
from ablation.evaluation.sampling.engine import engine
from ablation.evaluation.sampling.journal import Journal
from ablation.evaluation.sampling.planned_attempts import SamplingRun, SamplingUnit, plan_attempts, split_into_units
from ablation.specs.base import digest
from ablation.specs.cell import Cell
from ablation.store.records import COMPLETIONS_FILE, TIMING_FILE, Completion, Question, write_json, write_rows
from ablation.store.stage_run import StageRun

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sample(cell: Cell, attempts: range, weights: Path | None, run: StageRun) -> None:
    """Write ``completions.jsonl`` ordered by question and attempt; `weights` None samples the base model.

    Goes on from the units that earlier tries finished; with the reference engine the file is the same, byte for byte, however
    often that happened. Raises Interrupted.
    """
    started, folder, runs = time.perf_counter(), run.out, engine(cell.sample.engine)
    adapter = str(weights) if weights and holds_adapter(weights) else None
    place, revision = (str(weights), None) if weights and not adapter else model_location(cell.model)
    questions, tokenizer = sampled_questions(cell.benchmark, cell.sample), load_tokenizer(cell.model)
    trusted = cell.model.trust_remote_code
    sampling = SamplingRun(place, revision, tokenizer, cell.sample, cell.seed.sample, adapter, trusted)
    units = _units(cell, tokenizer, questions, attempts, runs.unit_rows(cell.sample))
    version = runs.version(cell.sample)
    with Journal(run, units, version) as journal, early_stop(cell) as is_decided:
        kept, over = len(journal.done), is_decided(journal.done.values())
        missing = [unit for unit in units if not (over or journal.holds(unit))]
        with closing(runs.generate(sampling, missing, run.halt)) as answers:
            for finished in answers:
                journal.keep(finished)
                if over := is_decided(finished):
                    break
        wanted = [(question.id, number) for question in questions for number in attempts]
        rows = _in_order(journal, [one for one in wanted if one in journal.done] if over else wanted)
    write_rows(folder / COMPLETIONS_FILE, rows)
    template = digest(tokenizer.chat_template)
    write_json(folder / EVALUATOR_FILE, {"engine": version, "template": template})
    timing = {"sample_s": time.perf_counter() - started, "attempts_kept_before": kept}
    split = {"tensor_parallel": cell.sample.tensor_parallel, "data_parallel": cell.sample.data_parallel}
    write_json(folder / TIMING_FILE, {**timing, **split})


def _units(
    cell: Cell, tokenizer: "PreTrainedTokenizerBase", questions: Sequence[Question], attempts: range, rows: int
) -> list[SamplingUnit]:
    """Where rows share a batch, those of like length; else, and where the end is to come early, rounds of all questions."""
    if cell.sample.decides:
        rows = min(rows, len(questions))
    in_rounds = rows == 1 or cell.sample.decides is not None
    return split_into_units(plan_attempts(tokenizer, questions, attempts, in_rounds), rows)


def _in_order(journal: Journal, wanted: Sequence[tuple[str, int]]) -> list[Completion]:
    lost = [key for key in wanted if key not in journal.done]
    if lost:
        raise RecordError(
            f"{len(lost)} of {len(wanted)} attempts came back without a completion, first {lost[0]}; run again"
        )
    return [journal.done[key] for key in wanted]
