"""The name of an evaluator changes with everything that decides the chances of an attempt, and with nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from ablation.analysis.records.load import load
from ablation.analysis.records.scores import Scores
from ablation.cli.launch import run_study
from ablation.evaluation.evaluator_name import EVALUATOR_FILE, evaluator_name
from ablation.jobs.run.pipeline import run_cell
from ablation.planning.engines import engine_conflicts
from ablation.planning.outlook import build_outlook
from ablation.report import page
from ablation.specs.cell import Cell, addresses
from ablation.store.records import read_json, write_json
from ablation.study.manifest import write_study
from tests.conftest import ROOT
from tests.studies import planned


def test_only_what_decides_an_attempts_chances_makes_another_evaluator(
    cell_of: Callable[..., Cell], tmp_path: Path
) -> None:
    plain = evaluator_name(cell_of(), tmp_path)
    assert plain.startswith("transformers-float32-")
    for same in ("sample.n=64", "sample.batch_rows=3", "count=n50", "seed.sample=4", "seed.train=1"):
        assert evaluator_name(cell_of(same), tmp_path) == plain
    for other in ("sample.temperature=1.0", "sample.top_p=0.9", "sample.max_tokens=99", "sample.precision=bf16"):
        assert evaluator_name(cell_of(other), tmp_path) != plain


def test_the_engines_own_word_counts(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    before = evaluator_name(cell_of(), tmp_path)
    write_json(tmp_path / EVALUATOR_FILE, {"engine": "1.0", "template": "a"})
    first = evaluator_name(cell_of(), tmp_path)
    write_json(tmp_path / EVALUATOR_FILE, {"engine": "1.1", "template": "a"})
    assert len({before, first, evaluator_name(cell_of(), tmp_path)}) == 3


def test_a_block_of_a_later_engine_leaves_the_cell_without_average(tiny_benchmark: list[str], tmp_path: Path) -> None:
    """The engine's upgrade is written into the block's record, since one environment has one version only."""
    plan = planned(tmp_path, "count=n0", "sample.n=10", "sample.max_tokens=4", *tiny_benchmark)
    [cell] = plan.cells
    run_cell(cell, plan.store)
    _, later = (plan.store.path(addresses(cell)[block]) for block in cell.blocks)
    told = read_json(later / EVALUATOR_FILE)
    (later / EVALUATOR_FILE).chmod(0o644)
    write_json(later / EVALUATOR_FILE, {**told, "engine": "transformers 99"})
    write_study(plan, {})
    study = load(plan.folder)
    assert study.results.groupby("evaluator", sort=False)["attempt"].agg(["min", "max"]).to_numpy().tolist() == [
        [0, 7], [8, 9],
    ]  # fmt: skip
    assert study.cells["avg_all"].isna().all() and study.cells["avg_all_se"].isna().all()
    parts = study.manifest["evaluators"]
    assert [parts[name]["engine"]["engine"] for name in study.results["evaluator"].unique()] == [
        told["engine"], "transformers 99",
    ]  # fmt: skip
    assert all(part["engine"]["template"] and part["parallel"] == [[1, 1]] for part in parts.values())
    assert "several evaluators" in page.write_report(plan.folder, for_paper=False).read_text(encoding="utf-8")


def test_a_top_up_by_another_engine_is_warned_of_before_it_runs(
    tiny_benchmark: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("count=n0", "sample.max_tokens=4", "sample.n=8", *tiny_benchmark)
    plan = planned(tmp_path, *few)
    [cell] = plan.cells
    run_cell(cell, plan.store)
    for n, warned in ((8, 0), (10, 0)):
        assert len(engine_conflicts(planned(tmp_path, *few, f"sample.n={n}").cells, plan.store)) == warned
    told = plan.store.path(addresses(cell)["sample"]) / EVALUATOR_FILE
    write_json(told, {**read_json(told), "engine": "transformers 4.0"})
    more = planned(tmp_path, *few, "sample.n=10")
    [line] = build_outlook(more.cells, more.execution).warnings
    assert line.startswith("1 of 1 cells hold attempts that transformers 4.0 sampled, and ")
    assert f"and transformers {version('transformers')} would sample what is missing" in line
    assert run_study(more.cells, (), more.execution) == 0
    assert "warning: 1 of 1 cells hold attempts that transformers 4.0 sampled" in capsys.readouterr().out
    assert load(more.folder).cells["avg_all"].isna().all()
    beside = planned(tmp_path, *few, "seed.sample=1")
    assert engine_conflicts(beside.cells, plan.store) == []
    [line] = engine_conflicts((cell, *beside.cells), plan.store)
    assert line.startswith("1 of 2 cells")
    elsewhere = planned(tmp_path, *few, "sample.n=64", "sample.engine=vllm", "sample.python=/nowhere")
    assert engine_conflicts(elsewhere.cells, plan.store) == []


def test_a_model_with_its_own_template_keeps_its_average_and_is_compared_with_none(
    tiny_benchmark: list[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(ROOT / "ablation/mini/data/base", theirs)
    template = theirs / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8") + "{# theirs #}", encoding="utf-8")
    few = ("count=n0", "sample.n=1", "sample.max_tokens=4", *tiny_benchmark)
    [ours] = planned(tmp_path / "outputs", *few).cells
    plan = planned(tmp_path / "outputs", *few, f"model.source.path={theirs}", "model.name=theirs")
    plan = replace(plan, cells=(ours, *plan.cells))
    for cell in plan.cells:
        run_cell(cell, plan.store)
    write_study(plan, {})
    study = load(plan.folder)
    assert study.cells["avg_all"].notna().all()
    assert Scores.of(study, partial=True).averages()["all"].notna().tolist() == [True, False]
