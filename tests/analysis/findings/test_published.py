"""Published numbers beside a study's: the figure's own counts agree with themselves, and what does not overlap says why."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablation.analysis import Scores, agreement, analyse, ladder, load, majority, published
from ablation.analysis.records.load import Study
from ablation.cli.__main__ import main
from tests.analysis.studies import BASE, build, factorial, row_of, trained
from tests.conftest import ROOT

COUNTS = pd.read_csv(ROOT / "tests/data/ladder_figure1.csv")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The figure as an imported result set; its small fine-tunings stand for 1,000 r1 trajectories."""
    folder = tmp_path_factory.mktemp("imported")
    told = (ROOT / "tests/data/ladder_figure1.yaml").read_text()
    told = told.replace("n: 16}", "n: 16, factors: {count: 1000, style: r1}}")
    (folder / "map.yaml").write_text(told)
    source = str(ROOT / "tests/data/ladder_figure1.csv")
    asked = ["--study", "figure", "--columns", str(folder / "map.yaml"), "--outputs", str(folder)]
    assert main(["import", source, *asked]) == 0
    return folder / "figure"


@pytest.fixture
def figure(imported: Path) -> Study:
    """The same, loaded."""
    return load(imported)


def test_the_figure_agrees_with_itself(figure: Study) -> None:
    found = agreement(figure, Scores.of(figure))
    read_off = found[found["mark"] == "figure"]
    assert len(read_off) == 10 and (read_off["difference"].abs() < 1e-12).all()
    assert set(read_off["verdict"]) == {"compatible"}
    overall = row_of(found, name="any category at 1K")
    assert (overall["published_low"], overall["published_high"]) == pytest.approx((0.51, 0.59))
    assert row_of(found, name="2K trajectories")["reason"].startswith("no complete setting")


def test_a_study_that_is_elsewhere_says_so_and_compares_nothing(figure: Study) -> None:
    far = figure.results.assign(
        verdict=np.where(figure.results["tier"] == "medium", "wrong", figure.results["verdict"])
    )
    other = replace(figure, results=far)
    assert row_of(agreement(other, Scores.of(other)), name="small fine-tuning", tier="medium")["verdict"] == "differs"
    mini = build([BASE, trained()], lambda _cell, q: q % 4)
    assert set(agreement(mini, Scores.of(mini))["reason"]) == {
        "this study asks other questions than AIME 2024 (ids 60–89)"
    }
    fixed = [{"model": {"source": {"hub": "Qwen/Qwen2.5-0.5B"}}}]
    small = replace(figure, manifest={**figure.manifest, "fixed": fixed})
    found = agreement(small, Scores.of(small))
    assert found["reason"].str.contains("base model is not").all() and found["estimate"].isna().all()


def test_the_shipped_counts_are_the_figures() -> None:
    shipped = published()
    for name, column, n in (
        ("base model", "base_correct_of_8", 8),
        ("small fine-tuning", "small_sft_correct_of_16", 16),
    ):
        for tier, group in [*COUNTS.groupby("tier"), ("all", COUNTS)]:
            row = row_of(shipped, name=name, tier=tier)
            assert (row["correct"], row["attempts"]) == (group[column].sum(), n * len(group))
    assert set(shipped["mark"]) <= {"code", "figure", "digest"}


def test_the_ladder_of_the_figure_by_hand(figure: Study) -> None:
    """H over three models and 30 questions by its definition, and the tier that a rule would give id 70 otherwise."""
    columns = {"base_correct_of_8": 8, "small_sft_correct_of_16": 16, "large_correct_of_24": 24}
    solved = np.array([COUNTS[name] / n >= 0.5 for name, n in columns.items()]).astype(int)
    solved = solved[:, np.argsort(-solved.mean(axis=0), kind="stable")]
    seen = expected = 0.0
    for easy, hard in combinations(range(30), 2):
        seen += sum((solved[:, hard] == 1) & (solved[:, easy] == 0))
        expected += 3 * (1 - solved[:, easy].mean()) * solved[:, hard].mean()
    found = ladder(Scores.of(figure), draws=50)
    assert found.h == pytest.approx(1 - seen / expected) and found.h == pytest.approx(1)
    assert found.reproducibility == pytest.approx(1) and found.runs == 3
    steps = found.steps.set_index("lower")
    assert (steps["solve_lower_too"].dropna() == 1).all()


def test_maj_has_the_errors_of_its_attempts_and_of_its_questions() -> None:
    study = build([trained(), *factorial(style=["gemini"])], lambda _cell, q: 2 + q % 3, n=8)
    answers = np.where(study.results["verdict"] == "correct", "7", study.results["attempt"].map(str) + "1")
    found = majority(study.results.assign(extracted=answers), study.tiers, 8, draws=4000)
    row = row_of(found, cell="algebra-50-normal-r1-0", tier="all")
    assert row["estimate"] == 1  # right answers agree, wrong ones do not
    assert 0 < row["se_these"] < 0.2 and row["high_these"] == 1
    # At n = k = 3 with one right answer and two that differ: three equal answers, so maj is 1/3 on average over ties.
    three = build([trained()], lambda _cell, _q: 1, n=3)
    split = three.results.assign(extracted=three.results["attempt"].map(str))
    row = row_of(majority(split, three.tiers, 3, draws=20_000), cell="algebra-50-normal-r1-0", tier="all")
    outcomes = []  # all 27 ways of drawing three votes, by hand
    for votes in np.indices((3, 3, 3)).reshape(3, -1).T:
        counts = np.bincount(votes, minlength=3)
        outcomes.append((counts[0] == counts.max()) / (counts == counts.max()).sum())
    assert row["estimate"] == pytest.approx(1 / 3)
    assert row["se_these"] == pytest.approx(np.std(outcomes) / np.sqrt(12), rel=0.05)


def test_maj_without_answers_or_attempts_says_why() -> None:
    study = build([trained()], lambda _cell, q: q % 4)
    assert majority(study.results, study.tiers, 4)["reason"].str.startswith("the answers were not recorded").all()
    told = study.results.assign(extracted="1")
    assert majority(told, study.tiers, 5)["reason"].str.startswith("a question has fewer attempts").all()
    less = told[told["question"] != "q00"]
    more = pd.concat([less, told[told["question"] == "q00"].assign(cell="other")])
    assert majority(more, study.tiers, 4)["estimate"].isna().all()
    assert analyse(study).majority["estimate"].isna().all()
