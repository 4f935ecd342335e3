"""Two studies against each other: matched cells alone, paired by question, and said to be what they are."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ablation.analysis.findings.study_comparison import compare_studies
from ablation.analysis.records.load import Study
from ablation.errors import RecordError
from ablation.report.comparison import write_comparison
from tests.analysis.studies import BASE, build, factorial, row_of, save
from tests.report.test_page import HOSTILE, Page

GRID = factorial(count=[25, 50], style=["r1", "gemini"], seed=[0, 1])


def _study(name: str, more: int, **choices: Any) -> Study:
    """Solves `more` attempts of each question above what its cells would."""
    study = build(
        [BASE, *GRID], lambda cell, q: 0 if cell["count"] == 0 else (q + cell["seed"]) % 3 + more * (q % 2), **choices
    )
    return dataclasses.replace(study, manifest={**study.manifest, "study": name})


def test_the_difference_of_two_studies_is_what_was_put_in() -> None:
    comparison = compare_studies(_study("one", 0), _study("two", 1))
    trained = row_of(comparison.differences, factor="all trained cells", tier="all")
    assert trained["pairs"] == len(GRID) and trained["questions"] == 12
    assert trained["estimate"] == pytest.approx(0.125) and trained["low"] < 0.125 < trained["high"]
    base = row_of(comparison.differences, factor="base model", tier="all")
    assert base["pairs"] == 1 and base["estimate"] == 0
    assert row_of(comparison.differences, factor="style", level="r1", tier="easy")["estimate"] == pytest.approx(0.125)
    assert not comparison.only_first and not comparison.only_second and not comparison.cells["same"].any()
    style = row_of(comparison.effects, factor="style", tier="all")
    assert style["estimate_one"] == style["estimate_other"] == 0


def test_incomplete_cells_and_cells_of_one_study_take_no_part() -> None:
    second = _study("two", 1, failed=[1])
    fewer = [cell for cell in GRID if cell["count"] == 25]
    first = build(fewer, lambda _cell, q: q % 3)
    comparison = compare_studies(first, second)
    assert row_of(comparison.differences, factor="all trained cells", tier="all")["pairs"] == len(fewer) - 1
    assert row_of(comparison.differences, factor="base model", tier="all")["reason"].startswith(
        "no complete cells of both"
    )
    assert not comparison.only_first and len(comparison.only_second) == 1 + len(GRID) - len(fewer)


def test_studies_without_a_common_question_are_refused() -> None:
    second = _study("two", 0)
    moved = dataclasses.replace(second, results=second.results.assign(question="x" + second.results["question"]))
    with pytest.raises(RecordError, match="no question in common"):
        compare_studies(_study("one", 0), moved)


def test_its_page_is_whole_and_names_are_inert(tmp_path: Path) -> None:
    first, second = _study("one", 0), _study(HOSTILE, 1, failed=[2], note=HOSTILE)
    same = {
        **first.manifest,
        "cells": [{**cell, "key": "k"} for cell in first.manifest["cells"]],
        "fixed": [{"a": {"b": 1}}],
    }
    fixed = {
        **second.manifest,
        "cells": [{**cell, "key": "k"} for cell in second.manifest["cells"]],
        "fixed": [{"a": {"b": 2}}],
    }
    save(dataclasses.replace(first, manifest=same), tmp_path / "one")
    save(dataclasses.replace(second, manifest=fixed), tmp_path / "two")
    page, sentence = write_comparison(tmp_path / "one", tmp_path / "two")
    html = page.read_text(encoding="utf-8")
    assert Page(html).tags.count("script") == 2 and page.name == "against-one.html"
    assert "raised avg@4 by 12.5 points" in sentence and "7 matched pairs" in sentence
    for text in ("1 of 9 cells have no complete result yet", "9 of the pairs are one and the same cell", "a.b"):
        assert text in html
