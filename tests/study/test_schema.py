"""The schema of a study's records holds for what is written: each column and key of a small study stands there, in order."""

import json
from pathlib import Path
from typing import get_type_hints

import pandas as pd

from ablation.jobs.run.pipeline import run_cell
from ablation.study.manifest import write_study
from ablation.study.schema import CellRow, LossRow, Manifest, ManifestCell, QuestionRow, ResultRow
from tests.studies import planned


def test_tables_and_manifest_have_the_columns_and_keys_of_the_schema(tiny_benchmark: list[str], tmp_path: Path) -> None:
    plan = planned(tmp_path / "outputs", "count=n0", "sample.n=2", "sample.max_tokens=24", *tiny_benchmark)
    run_cell(plan.cells[0], plan.store)
    folder = write_study(plan, {})
    for name, row in (("results", ResultRow), ("loss", LossRow), ("questions", QuestionRow)):
        assert list(pd.read_parquet(folder / f"{name}.parquet")) == list(get_type_hints(row))
    cells = pd.read_parquet(folder / "cells.parquet")
    assert list(cells)[: len(CellRow.__annotations__)] == list(CellRow.__annotations__)
    patterns = ("avg_", "cov_", "no_answer_rate", "truncated_rate", "ungradable_rate", "planned", "present")
    assert all(str(name).startswith(patterns) for name in list(cells)[len(CellRow.__annotations__) :])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest) == [name for name in get_type_hints(Manifest) if name != "imported"]
    assert list(manifest["cells"][0]) == list(get_type_hints(ManifestCell))


def test_every_attempt_of_a_complete_cell_has_exactly_one_verdict(tiny_benchmark: list[str], tmp_path: Path) -> None:
    plan = planned(tmp_path / "outputs", "count=n0", "sample.n=3", "sample.max_tokens=24", *tiny_benchmark)
    run_cell(plan.cells[0], plan.store)
    results = pd.read_parquet(write_study(plan, {}) / "results.parquet")
    questions = pd.read_parquet(plan.folder / "questions.parquet")["question"]
    expected = [(question, attempt) for question in questions for attempt in range(3)]
    assert sorted(zip(results["question"], results["attempt"], strict=True)) == sorted(expected)
    words = ["correct", "wrong", "no_answer", "truncated", "ungradable"]
    assert results["verdict"].isin(words).sum() == len(expected)
