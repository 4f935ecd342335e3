"""Records of different evaluators are never averaged together: not within a cell, and not between cells."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from ablation.analysis import Scores, analyse
from ablation.analysis.findings.study_comparison import compare_studies
from ablation.analysis.records.growing_k import growing_k
from ablation.analysis.records.load import Study
from ablation.errors import RecordError
from ablation.report.comparison import write_comparison
from ablation.report.figures.lengths import lengths_figure
from ablation.report.page import write_report
from ablation.report.terminal import render_summary
from ablation.study.interchange.export_study import export_harness
from ablation.study.interchange.tiers import counts_of
from tests.analysis.studies import BASE, build, factorial, name_of, save, trained, without

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
    assert Scores.of(_moved(WHOLE), partial=True).averages().isna().all(axis=1).sum() == 1


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
    found = compare_studies(WHOLE, _topped_up(WHOLE), draws=0)
    assert found.differences.iloc[0]["pairs"] == len(CELLS) - 2
    everywhere = _judged(WHOLE, pd.Series(True, index=WHOLE.results.index))
    nowhere = _judged(WHOLE, pd.Series(False, index=WHOLE.results.index))
    assert ("evaluator", "old", "new") in compare_studies(nowhere, everywhere, draws=0).fixed


def test_page_and_terminal_name_the_cell_and_the_two(tmp_path: Path) -> None:
    page = write_report(save(_topped_up(WHOLE), tmp_path / "tiny"), for_paper=False).read_text(encoding="utf-8")
    assert "its attempts come from several evaluators" in page and "2 kinds of evaluator" in page
    console = Console(width=80, file=StringIO())
    console.print(render_summary(analyse(_topped_up(WHOLE), partial=True, draws=0)))
    assert isinstance(console.file, StringIO)
    assert "2 kinds of evaluator" in " ".join(console.file.getvalue().split())


def test_neither_logs_nor_tiers_are_made_of_such_a_cell(tmp_path: Path) -> None:
    save(_topped_up(WHOLE), tmp_path / "tiny")
    with pytest.raises(RecordError, match=f"{ONE}: its attempts come from several evaluators"):
        export_harness(tmp_path / "tiny", tmp_path / "out")
    with pytest.raises(RecordError, match="several evaluators"):
        counts_of(_topped_up(WHOLE), ["base"], [ONE], 0)


def test_what_lacks_no_attempt_is_not_called_incomplete() -> None:
    texts = [one.text for one in analyse(_topped_up(WHOLE), partial=True, draws=0).findings]
    assert not any(text.startswith("Incomplete") for text in texts)
    short = without(_moved(WHOLE), (WHOLE.results["cell"] == ONE) & (WHOLE.results["question"] == "q01"))
    row = analyse(short, partial=True, draws=0).coverage.set_index("cell").loc[ONE]
    assert str(row["reason"]).startswith("4 attempts missing; judged by another evaluator (new and old) than most")


def test_models_without_factors_have_no_say_in_which_evaluator_most_have() -> None:
    released = [
        {**trained(seed=seed), "category": None, "count": None, "length": None, "style": None} for seed in range(3)
    ]
    study = build([BASE, trained(), *released], lambda _cell, q: q % 4)
    theirs = _judged(study, study.results["count"].isna())
    assert Scores.of(theirs, partial=True).averages()["all"].notna().tolist() == [True, True, False, False, False]
    alone = build(released, lambda _cell, q: q % 4)
    judged = _judged(alone, alone.results["seed"] == 2)
    assert Scores.of(judged, partial=True).averages()["all"].notna().tolist() == [True, True, False]


def test_the_figure_of_lengths_leaves_it_out() -> None:
    long = WHOLE.results["cell"] == ONE
    study = Study(WHOLE.manifest, WHOLE.results.assign(tokens=np.where(long, 9000, 10)), WHOLE.cells)
    spans = []
    for each in (study, _moved(study)):
        plate = lengths_figure(analyse(each, partial=True, draws=0))
        assert plate is not None
        figure = Figure()
        plate.rows[0][1][0].draw(figure.subplots())
        spans.append(figure.axes[0].dataLim.x1)
    assert spans[0] > 9000 and spans[1] < 20


def test_a_comparison_of_studies_that_were_judged_otherwise_says_so(tmp_path: Path) -> None:
    for name, other in (("one", False), ("two", True)):
        save(_judged(WHOLE, pd.Series(other, index=WHOLE.results.index)), tmp_path / name)
    page, told = write_comparison(tmp_path / "one", tmp_path / "two")
    assert "Judged otherwise (evaluator old there, new here)" in told
    assert "Judged otherwise" in page.read_text(encoding="utf-8")


def test_nobody_asked_and_an_unasked_tier_are_no_error() -> None:
    nothing = build([BASE, trained()], lambda _cell, _q: 0, failed=[0, 1])
    tiers = Study({**WHOLE.manifest, "tiers": ["easy", "hard", "never"]}, WHOLE.results, WHOLE.cells)
    for study, tier in ((nothing, "all"), (tiers, "never")):
        table = growing_k(study, Scores.of(study, partial=True))
        undefined = table.loc[table["tier"] == tier, "cov"]
        assert len(undefined) and undefined.isna().all()


def test_equally_many_cells_of_each_go_by_the_first() -> None:
    two = build([BASE, trained()], lambda _cell, q: q % 4)
    halves = _judged(two, two.results["cell"] != "base")
    assert Scores.of(halves, partial=True).averages()["all"].notna().tolist() == [True, False]
