"""Records of different evaluators are never averaged together: not within a cell, and not between cells."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ablation.analysis import Tally, analyse
from ablation.analysis.study import Study
from ablation.analysis.versus import versus
from ablation.errors import RecordError
from ablation.interchange.export import export_harness
from ablation.interchange.tiers import counts_of
from ablation.report.page import write
from ablation.report.terminal import render

from .studies import BASE, build, factorial, name_of, save, trained

CELLS = [BASE, *factorial(category=["algebra", "geometry"], style=["r1", "gemini"], seed=[0, 1])]
WHOLE = build(CELLS, lambda cell, q: (3 * (cell["style"] == "r1") + 5 * (cell["category"] == "algebra") + q) % 5)
ONE = name_of(CELLS[1])


def _judged(study: Study, other: "pd.Series[bool]", column: str = "evaluator") -> Study:
    """The study as if the rows marked in `other` had been asked or judged by another."""
    told = {name: np.where(other & (name == column), "new", "old") for name in ("evaluator", "grader")}
    return Study(study.manifest, study.results.assign(**told), study.cells)


def _topped_up(study: Study, column: str = "evaluator") -> Study:
    """One cell's later block of attempts met another engine."""
    return _judged(study, (study.results["cell"] == ONE) & (study.results["attempt"] >= 2), column)


def _moved(study: Study) -> Study:
    """One cell was evaluated by another engine as a whole."""
    return _judged(study, study.results["cell"] == ONE)


def _without_one(study: Study) -> Study:
    """The study with no attempt of that cell."""
    return Study(study.manifest, study.results[study.results["cell"] != ONE], study.cells)


@pytest.mark.parametrize("column", ["evaluator", "grader"])
def test_a_cell_of_two_evaluators_has_no_average_and_says_why(column: str) -> None:
    study = _topped_up(WHOLE, column)
    analysis = analyse(study, partial=True, draws=0)
    metrics = analysis.metrics.set_index("cell")
    assert metrics.loc[ONE].filter(regex="^(avg|cov)_|_rate$").isna().all()
    assert metrics.drop(ONE).filter(like="avg_").notna().all(axis=None)
    row = analysis.coverage.set_index("cell").loc[ONE]
    assert not row["complete"] and "several evaluators" in row["reason"] and "new" in row["reason"]
    assert ONE not in set(analysis.majority["cell"])


def test_a_cell_of_another_evaluator_keeps_its_own_average_and_is_compared_with_none() -> None:
    analysis = analyse(_moved(WHOLE), partial=True, draws=0)
    whole = analyse(WHOLE, draws=0)
    assert analysis.metrics.equals(whole.metrics)
    assert "another evaluator" in str(analysis.coverage.set_index("cell").loc[ONE, "reason"])
    assert Tally.of(_moved(WHOLE), partial=True).averages().isna().all(axis=1).sum() == 1


@pytest.mark.parametrize("change", [_topped_up, _moved])
@pytest.mark.parametrize(
    "table",
    ["effects", "slopes", "means", "conditions", "interactions", "components", "equivalence", "pooled_coverage"],
)
def test_every_comparison_is_that_of_a_study_without_the_cell(change, table: str) -> None:  # type: ignore[no-untyped-def]
    found, expected = (analyse(study, partial=True, draws=0) for study in (change(WHOLE), _without_one(WHOLE)))
    pd.testing.assert_frame_equal(_numbers(getattr(found, table)), _numbers(getattr(expected, table)))


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="reason", errors="ignore")


def test_the_ladder_and_the_findings_leave_it_out_too() -> None:
    found, expected = (analyse(study, partial=True, draws=0) for study in (_moved(WHOLE), _without_one(WHOLE)))
    assert repr(found.ladder) == repr(expected.ladder)
    assert found.rasch.equals(expected.rasch)
    shares = [[one.text for one in analysis.findings if one.topic == "verdicts"] for analysis in (found, expected)]
    assert shares[0] == shares[1]


def test_two_studies_are_paired_without_the_cell_and_say_who_judged() -> None:
    found = versus(WHOLE, _topped_up(WHOLE), draws=0)
    assert found.differences.iloc[0]["pairs"] == len(CELLS) - 2
    everywhere = _judged(WHOLE, pd.Series(True, index=WHOLE.results.index))
    nowhere = _judged(WHOLE, pd.Series(False, index=WHOLE.results.index))
    assert ("evaluator", "old", "new") in versus(nowhere, everywhere, draws=0).fixed


def test_page_and_terminal_name_the_cell_and_the_two(tmp_path: Path) -> None:
    page = write(save(_topped_up(WHOLE), tmp_path / "tiny"), for_paper=False).read_text(encoding="utf-8")
    assert "its attempts come from several evaluators" in page and "2 kinds of evaluator" in page
    console = Console(width=80, file=StringIO())
    console.print(render(analyse(_topped_up(WHOLE), partial=True, draws=0)))
    assert isinstance(console.file, StringIO)
    assert "2 kinds of evaluator" in " ".join(console.file.getvalue().split())


def test_neither_logs_nor_tiers_are_made_of_such_a_cell(tmp_path: Path) -> None:
    save(_topped_up(WHOLE), tmp_path / "tiny")
    with pytest.raises(RecordError, match=f"{ONE}: its attempts come from several evaluators"):
        export_harness(tmp_path / "tiny", tmp_path / "out")
    with pytest.raises(RecordError, match="several evaluators"):
        counts_of(_topped_up(WHOLE), ["base"], [ONE], 0)


def test_equally_many_cells_of_each_go_by_the_first() -> None:
    two = build([BASE, trained()], lambda _cell, q: q % 4)
    halves = _judged(two, two.results["cell"] != "base")
    assert Tally.of(halves, partial=True).averages()["all"].notna().tolist() == [True, False]
