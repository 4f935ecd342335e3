"""Sampling that ends as soon as its pass line is decided: the verdict of the whole, fewer attempts, and no average."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ablation.analysis.findings.analyse import analyse
from ablation.analysis.records.decided import decided
from ablation.analysis.records.load import load
from ablation.analysis.records.scores import Scores
from ablation.errors import ConfigProblems, RecordError
from ablation.evaluation.pass_line import Decision
from ablation.jobs.run.pipeline import run_cell
from ablation.planning.validate import prepare_cells
from ablation.report import page
from ablation.report.terminal import render_summary
from ablation.specs import PassLine
from ablation.specs.cell import Cell
from ablation.store.records import COMPLETIONS_FILE, Completion, read_rows
from ablation.store.store import Store
from ablation.study.interchange.export_study import export_harness
from ablation.study.manifest import write_study
from ablation.tracking.cell_run import summary
from tests.evaluation.sampling.test_journal import Trials
from tests.studies import planned

CellOf = Callable[..., Cell]
SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


def answer_of(verdicts: list[bool], share: float) -> str:
    """By all attempts, in whole numbers: reached exactly when 100 × correct ≥ percent × attempts."""
    return "reached" if 100 * sum(verdicts) >= round(100 * share) * len(verdicts) else "missed"


@given(st.lists(st.booleans(), min_size=1, max_size=40), SHARES)
def test_the_answer_is_that_of_all_attempts_and_comes_the_moment_it_is_certain(right: list[bool], share: float) -> None:
    decision = Decision(PassLine(tier="all", share=share), len(right))
    for made, one in enumerate(right):
        ends = {answer_of(right[:made] + [rest] * (len(right) - made), share) for rest in (False, True)}
        assert decision.answer == (ends.pop() if len(ends) == 1 else None)
        decision.count(["correct" if one else "wrong"])
    assert decision.answer == answer_of(right, share)


def test_nine_tenths_of_eighty_are_72() -> None:
    assert PassLine(tier="medium", share=0.9).needed(80) == 72
    decision = Decision(PassLine(tier="medium", share=0.9), 80)
    decision.count(["correct"] * 71 + ["wrong", "truncated", "no_answer", "ungradable"] * 2)
    assert decision.answer is None
    decision.count(["wrong"])
    assert decision.as_record() == {
        "tier": "medium", "share": 0.9, "answer": "missed", "correct": 71, "attempts": 80, "planned": 80,
    }  # fmt: skip


def test_what_is_not_asked_to_end_early_keeps_its_key(cell_of: CellOf) -> None:
    plain = cell_of()
    assert cell_of("sample.pass_line.share=0.5").key == plain.key
    assert not {"stop", "pass_line"} & set(plain.sample.canonical())
    early = cell_of("sample.stop=decided")
    assert early.folders["train"] == plain.folders["train"]
    keys = {plain.key, early.key}
    for other in ("sample.n=16", "sample.pass_line.share=0.8", "sample.pass_line.tier=hard", "benchmark.tiers=null"):
        keys.add(cell_of("sample.stop=decided", other).key)
    assert len(keys) == 6
    assert list(cell_of("sample.stop=decided", "sample.n=64").blocks.values()) == [range(64)]


def test_a_line_in_a_tier_that_is_not_there_stops_the_sweep(tmp_path: Path) -> None:
    plan = planned(tmp_path, "count=n0", "sample.stop=decided", "sample.pass_line.tier=mediun")
    with pytest.raises(ConfigProblems, match=r"given 'mediun'; allowed for benchmark mini: .*did you mean 'medium'"):
        prepare_cells(plan.cells, plan.store, print, plan.execution.cluster)
    with pytest.raises(ConfigProblems, match="stop=decided needs a pass_line"):
        planned(tmp_path, "count=n0", "sample.stop=decided", "sample.pass_line=null")


@pytest.fixture
def asked(cell_of: CellOf, tiny_benchmark: list[str]) -> Callable[..., Cell]:
    """The base model at two questions that it can answer, eight attempts each, so hot that it often does not."""
    torch.set_num_threads(1)
    few = ("count=n0", "sample.n=8", "sample.max_tokens=24", "sample.temperature=3.0", *tiny_benchmark)
    return lambda *overrides: cell_of(*few, *overrides)


def test_real_sampling_gives_the_answer_of_the_whole(asked: Callable[..., Cell], store: Store) -> None:
    whole = run_cell(asked(), store)
    rows = read_rows(whole["sample"] / COMPLETIONS_FILE, Completion)
    correct = summary(asked(), store)["avg@8/all"] * len(rows)
    made = {}
    assert 0 < correct < len(rows) == 16
    for needed in (round(correct), round(correct) + 1, 16):
        early = asked("sample.stop=decided", "sample.pass_line.tier=all", f"sample.pass_line.share={needed / 16}")
        paths = run_cell(early, store)
        kept = read_rows(paths["sample"] / COMPLETIONS_FILE, Completion)
        assert {row.model_dump_json() for row in kept} <= {row.model_dump_json() for row in rows}
        told = summary(early, store)
        assert told["line_answer"] == ("reached" if correct >= needed else "missed")
        assert not [name for name in told if name.startswith(("avg", "cov"))]
        assert told["line_attempts"] == len(kept)
        made[needed] = len(kept)
    assert min(made.values()) < 16


def test_stopped_and_begun_again_it_ends_with_the_same_bytes(asked: Callable[..., Cell], tmp_path: Path) -> None:
    cell = asked("sample.stop=decided", "sample.pass_line.tier=all")
    whole = Trials(cell, tmp_path / "whole").run()
    pieces = Trials(cell, tmp_path / "pieces")
    for segment in (2, 2, 2, None):
        try:
            found = pieces.run(stop_at=segment)
            break
        except Exception as stopped:  # noqa: BLE001
            assert type(stopped).__name__ == "Interrupted"
    assert found == whole


def study_of(folder: Path, benchmark: list[str], stops: str) -> Any:
    """The base model as it is asked to the end, or as far as its line takes; or both."""
    few = ("count=n0", "sample.n=2", "sample.max_tokens=24", "sample.pass_line.tier=hard", *benchmark)
    plan = planned(folder, *few, f"sample.stop={stops}")
    for cell in plan.cells:
        run_cell(cell, plan.store)
    write_study(plan, {})
    return plan


@pytest.fixture
def mixed(tiny_benchmark: list[str], tmp_path: Path) -> Any:
    """A study of two cells, of which one ends early."""
    return study_of(tmp_path / "outputs", tiny_benchmark, "planned,decided")


def shown_in_terminal(folder: Path) -> str:
    console = Console(width=80, file=StringIO())
    console.print(render_summary(analyse(load(folder), partial=True)))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_its_cells_have_an_answer_and_no_average(mixed: Any, tmp_path: Path) -> None:
    study = load(mixed.folder)
    cells = pd.read_parquet(mixed.folder / "cells.parquet")
    assert cells["curtailed"].tolist() == [False, True]
    numbers = [f"{name}_{scope}" for name in ("avg", "cov") for scope in ("easy", "hard", "all")]
    assert cells[numbers].isna().all(axis=1).tolist() == [False, True]
    assert cells[numbers].isna().any(axis=1).tolist() == [False, True]
    assert list(cells["line"].fillna("")) == ["", "hard ≥ 90 %"]
    results = pd.read_parquet(mixed.folder / "results.parquet")
    assert set(results.loc[results["curtailed"], "tier"]) == {"hard"}
    assert study.manifest["cells"][1]["curtailed"] == {"tier": "hard", "share": 0.9}
    assert study.manifest["cells"][0]["curtailed"] is None
    [row] = decided(study).to_dict("records")
    assert (row["planned"], row["answer"]) == (2, "reached" if float(cells["avg_hard"].iloc[0]) >= 0.9 else "missed")
    with pytest.raises(RecordError, match=r"Curtailed: 1 of 2 cells .* avg@2 and cov@2 are undefined"):
        Scores.of(study)
    assert Scores.of(study, partial=True).averages()["all"].isna().tolist() == [False, True]
    told = shown_in_terminal(mixed.folder)
    assert "base model" in told and "1 of 2 cells complete, 1 decided early" in told
    shown = page.write_report(mixed.folder).read_text()
    assert "Pass lines decided early" in shown and "1 of 2 cells complete, 1 decided early" in shown
    assert len(export_harness(mixed.folder, tmp_path / "harness")) == 1


def test_a_study_of_such_cells_alone_shows_their_answers_and_no_empty_means(
    tiny_benchmark: list[str], tmp_path: Path
) -> None:
    plan = study_of(tmp_path / "outputs", tiny_benchmark, "decided")
    [row] = decided(load(plan.folder)).to_dict("records")
    told = shown_in_terminal(plan.folder)
    assert "factor" not in told and "in this tier" not in told
    [line] = [line.split() for line in told.splitlines() if line.strip().startswith(row["cell"])]
    assert line[1:] == ["hard", "≥", "90", "%", row["answer"], str(int(row["attempts"])), "of", "2"]
