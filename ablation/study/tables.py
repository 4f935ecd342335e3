"""The tables of a study, written from the records in the store. `ablation.study.schema` says what each column holds."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.effects.conditions import cell_errors
from ablation.analysis.records.metrics import cell_table
from ablation.analysis.records.scores import Scores
from ablation.data.benchmark import read_questions, read_tiers
from ablation.evaluation.evaluator_name import evaluator_name
from ablation.evaluation.sampling.seeds import stream_seed
from ablation.specs.cell import Cell, addresses
from ablation.specs.versions import GRADER
from ablation.specs.vocabulary import StageName
from ablation.store.records import (
    LOSS_FILE,
    SUMMARY_FILE,
    TIMING_FILE,
    VERDICTS_FILE,
    Update,
    Verdict,
    read_completions,
    read_json,
    read_rows,
)
from ablation.store.store import Store
from ablation.study.cell_facts import planned_attempts, released_models, state_of, tier_order
from ablation.study.completions import QUESTIONS_FILE, TEXTS_FILE, write_texts
from ablation.study.schema import (
    FACTOR_TYPES,
    LINE_TYPES,
    LOSS_COLUMNS,
    QUESTION_COLUMNS,
    RESULT_TYPES,
    SEED_TYPES,
    TRAINING_COLUMNS,
)


def write_tables(cells: Sequence[Cell], store: Store, folder: Path, errors: Mapping[str, str]) -> None:
    """Write all tables. Only complete cells have rows in results; every planned cell has one row in cells.

    `errors` holds the failed cells' messages by name. Raises RecordError when a stage's folder is of other work, or damaged.
    """
    done = [cell for cell in cells if store.find(cell.outcome)]
    rows = [row for cell in done for row in result_rows(cell, store)]
    results = pd.DataFrame(rows, columns=list(RESULT_TYPES)).astype(RESULT_TYPES)
    planned = {cell.name: planned_attempts(cell) for cell in cells}
    types = {**FACTOR_TYPES, **SEED_TYPES, **LINE_TYPES}
    facts = pd.DataFrame([_cell_row(cell, store, errors) for cell in cells]).astype(types)
    if others := released_models(cells):
        results, facts = (_without_factors(frame, others) for frame in (results, facts))
    # The number of a curtailed cell's attempts depends on how they came out, so no average may be made of them.
    uncurtailed = results[~results["curtailed"]]
    tiers = tier_order(cells)
    scores = Scores.counted(facts, uncurtailed, tiers, max(cell.sample.n for cell in cells), planned)
    measured = cell_table(uncurtailed, planned, tiers).merge(cell_errors(scores), on="cell", validate="1:1")
    measured["present"] = facts["line_attempts"].fillna(measured["present"]).astype("int64")
    replace_table(folder / "results.parquet", results)
    replace_table(folder / "cells.parquet", facts.merge(measured, on="cell", validate="1:1"))
    replace_table(folder / "loss.parquet", _losses(done, store))
    replace_table(folder / QUESTIONS_FILE, _questions(done))
    write_texts(done, store, folder / TEXTS_FILE)


def _without_factors(frame: pd.DataFrame, names: frozenset[str]) -> pd.DataFrame:
    frame = frame.astype({"count": "Int64"})
    frame.loc[frame["cell"].isin(names), list(FACTOR_TYPES)] = pd.NA
    return frame


def result_rows(cell: Cell, store: Store) -> list[dict[str, Any]]:
    """Return the rows of a complete cell in the results, one for each attempt. Raises RecordError."""
    paths = {stage: store.path(address) for stage, address in addresses(cell).items()}
    tiers, answers = (
        read_tiers(cell.benchmark),
        {question.id: question.answer for question in read_questions(cell.benchmark)},
    )
    shared = {"cell": cell.name, **cell.factors(), **_seeds(cell)}
    blocks = cell.blocks
    # A block that was sampled later may have met another engine.
    evaluator_of = {attempt: evaluator_name(cell, paths[name]) for name, block in blocks.items() for attempt in block}
    completions = read_completions([paths[name] for name in blocks], list(answers))
    verdicts = read_rows(paths[StageName.GRADE] / VERDICTS_FILE, Verdict)
    return [
        {
            **shared, "question": completion.question, "tier": tiers[completion.question], "attempt": completion.attempt,
            "verdict": verdict.verdict, "finish_reason": completion.finish_reason, "tokens": completion.tokens,
            "answer": answers[completion.question], "extracted": verdict.extracted,
            "evaluator": evaluator_of[completion.attempt], "grader": GRADER,
            "stream_seed": f"{stream_seed(cell.seed.sample, completion.question, completion.attempt):032x}",
            "curtailed": cell.sample.decides is not None,
        }
        for completion, verdict in zip(completions, verdicts, strict=True)
    ]  # fmt: skip


def line_of(cell: Cell, store: Store) -> dict[str, Any]:
    """Return the columns of the pass line that ended a cell's sampling. Empty where every planned attempt is made."""
    line = cell.sample.decides
    if line is None:
        return {}
    decision = read_json(store.path(addresses(cell)[StageName.GRADE]) / SUMMARY_FILE).get("curtailed", {})
    return {"line": str(line), **{f"line_{name}": decision.get(name) for name in ("answer", "correct", "attempts")}}


def _seeds(cell: Cell) -> dict[str, int | None]:
    if cell.is_base:
        return {"seed_data": None, "seed_train": None, "seed_sample": cell.seed.sample}
    return {"seed_data": cell.seed.data, "seed_train": cell.seed.train, "seed_sample": cell.seed.sample}


def _cell_row(cell: Cell, store: Store, errors: Mapping[str, str]) -> dict[str, Any]:
    paths = {stage: store.path(address) for stage, address in addresses(cell).items()}
    training = read_json(paths[StageName.TRAIN] / SUMMARY_FILE) if StageName.TRAIN in paths else {}
    timing = read_json(paths[StageName.TRAIN] / TIMING_FILE) if StageName.TRAIN in paths else {}
    sample_s = [read_json(paths[name] / TIMING_FILE).get("sample_s") for name in cell.blocks]
    lengths = read_json(paths[StageName.SELECT] / SUMMARY_FILE).get("tokens", {}) if StageName.SELECT in paths else {}
    state = state_of(cell, store, errors)
    return {
        "cell": cell.name, "model": cell.model.name, "key": cell.key, "state": state.value,
        **cell.factors(), **_seeds(cell), "n": cell.sample.n,
        "curtailed": cell.sample.decides is not None, **dict.fromkeys(LINE_TYPES), **line_of(cell, store),
        **{name: training.get(name) for name in TRAINING_COLUMNS},
        "train_seconds": timing.get("train_s"), "train_tokens_per_second": timing.get("useful_tokens_per_second"),
        "sample_seconds": None if None in sample_s else sum(sample_s),
        **{f"length_{name}": lengths.get(name) for name in ("p10", "p50", "p90")},
    }  # fmt: skip


def _losses(done: Sequence[Cell], store: Store) -> pd.DataFrame:
    rows = []
    for cell in done:
        curve = [] if cell.is_base else read_rows(store.path(addresses(cell)[StageName.TRAIN]) / LOSS_FILE, Update)
        rows += [(cell.name, point.update, point.loss, point.learning_rate, point.total_tokens) for point in curve]
    return pd.DataFrame(rows, columns=list(LOSS_COLUMNS))


def _questions(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return one row for each question of any of the benchmarks that has a tier."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    for benchmark in dict.fromkeys(cell.benchmark for cell in cells):
        tiers = read_tiers(benchmark)
        for question in read_questions(benchmark):
            if question.id in tiers:
                row = (question.id, tiers[question.id], question.problem, question.answer)
                rows.setdefault(question.id, row)
    return pd.DataFrame(rows.values(), columns=list(QUESTION_COLUMNS))


def replace_table(path: Path, frame: pd.DataFrame) -> None:
    """Replace a table in one step. Readers see the old table or the new one."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        frame.to_parquet(beside, index=False)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
