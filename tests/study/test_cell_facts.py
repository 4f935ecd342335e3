"""A model that others trained, beside the base model: a row of its own, and no part of any comparison."""

import json
import shutil
from pathlib import Path

import pandas as pd

from ablation.analysis.records.load import load
from ablation.analysis.records.scores import Scores
from ablation.jobs.run.pipeline import run_cell
from ablation.planning.confounds import comparison_warnings
from ablation.report import page
from ablation.study.cell_facts import released_models
from ablation.study.manifest import write_study
from tests.conftest import ROOT
from tests.studies import planned


def test_a_released_checkpoint_is_not_the_base_model(tiny_benchmark: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder)
    told = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(
        json.dumps({**told, "renamed": True})
    )  # another model, by its content
    few = ("count=n0", "sample.n=2", "sample.max_tokens=24", *tiny_benchmark)
    theirs = planned(tmp_path / "outputs", *few, f"model.source.path={folder}", "model.name=s1.1-32B", "study=theirs")
    ours = planned(tmp_path / "outputs", *few)
    trained = planned(tmp_path / "outputs", *few[1:], "count=n25", "study=trained")
    both = (*ours.cells, *theirs.cells)
    assert released_models(ours.cells) == released_models(theirs.cells) == frozenset()
    assert released_models((*trained.cells, *both)) == {theirs.cells[0].name}
    for cell in both:
        run_cell(cell, ours.store)
    assert comparison_warnings((*trained.cells, *both)) == []
    plan = type(ours)((*trained.cells, *both), (), ours.execution, ours.command, ours.created, None)
    write_study(plan, {})
    cells = pd.read_parquet(plan.folder / "cells.parquet")
    assert cells["count"].tolist()[1] == 0 and cells["count"].isna().tolist() == [False, False, True]
    assert cells["avg_all"].isna().tolist() == [True, False, False]
    study = load(plan.folder)
    scores = Scores.of(study, partial=True)
    assert scores.is_base_c.tolist() == [False, True, False]
    assert study.manifest["cells"][2]["factors"]["count"] is None
    assert "s1.1-32B" in page.write_report(plan.folder).read_text()
