"""Attempts that are missing, or that another rule judged, are never averaged in silence.

Walks through analysis.
"""

import pytest

import ablation
from ablation.analysis import Scores, analyse
from ablation.analysis.records.load import Study
from ablation.errors import RecordError
from tests.analysis.studies import BASE, build, trained, without

WHOLE = build([BASE, trained()], lambda _cell, q: q % 4)


def _mixed() -> Study:
    judged = WHOLE.results.assign(evaluator=["a1"] * 48 + ["b2"] * 48)
    return Study(WHOLE.manifest, judged, WHOLE.cells)


def test_a_missing_attempt_refuses_every_average_until_it_is_asked_for() -> None:
    study = without(WHOLE, (WHOLE.results["question"] == "q07") & (WHOLE.results["attempt"] == 3))
    for average in (Scores.of, analyse):
        with pytest.raises(RecordError, match=r"2 of 2 cells .* 94 of 96 planned attempts.*partial=True"):
            average(study)
    assert Scores.of(study, partial=True).averages()["all"].isna().all()
    assert analyse(study, partial=True).findings[0].topic == "coverage"


def test_cells_that_were_asked_different_questions_are_not_called_complete() -> None:
    """Each has as many attempts as it planned, and no two have a question in common."""
    first = (WHOLE.results["cell"] == "base") == (WHOLE.results["question"] < "q06")
    halves = {**WHOLE.manifest, "cells": [{**cell, "planned_attempts": 24} for cell in WHOLE.manifest["cells"]]}
    study = Study(halves, WHOLE.results[first], WHOLE.cells)
    with pytest.raises(RecordError, match="Incomplete: 2 of 2 cells"):
        Scores.of(study)
    found = analyse(study, partial=True)
    assert found.findings[0].verdict == "warning"
    assert set(found.coverage["reason"]) == {"asked other questions than other cells"}


def test_rates_of_two_evaluators_are_not_mixed_in_silence() -> None:
    with pytest.raises(RecordError, match=r"2 kinds of evaluator \(a1, b2\)"):
        analyse(_mixed())
    first = analyse(_mixed(), partial=True).findings[0]
    assert first.verdict == "warning" and "between evaluators" in first.text


def test_a_whole_study_has_nothing_to_warn_of() -> None:
    assert analyse(WHOLE).findings[0].topic != "coverage"
    assert ablation.load is not None
