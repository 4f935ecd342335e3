"""Records that are missing, extreme or unequal crash nothing: no number is invented, and every absent number has a reason.

Walks through analysis.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation.analysis import Analysis, analyse
from ablation.analysis.records.load import Study
from tests.analysis.studies import BASE, Factors, build, factorial, name_of, trained

TABLES = (
    "effects", "means", "slopes", "curves", "conditions", "interactions", "equivalence", "growth", "rasch", "majority",
    "agreement", "components", "model",
)  # fmt: skip
DRAWS = 20
CROSSED = factorial(count=[50, 100], style=["r1", "gemini"], seed=[0, 1])


def _check(study: Study) -> Analysis:
    """Compute everything; each estimate that is NaN has a reason, fractions stay fractions, and bounds hold the estimate."""
    found = analyse(study, partial=True, draws=DRAWS)
    for name in TABLES:
        _check_table(name, getattr(found, name))
    told = found.trajectories
    for name, frame in (("settings", told.settings), ("changes", told.effects)):
        _check_table(name, frame)
    assert told.similarity.loc[told.similarity["between"].isna(), "reason"].ne("").all()
    assert {"verdict", "lower"} <= set(found.passing) and found.ladder.questions is not None
    assert len(found.per_step) == len(found.conditions[found.conditions["measure"] == "avg"])
    assert found.pooled_coverage is not None and found.budget is not None and found.findings and found.claims
    return found


def _check_table(name: str, frame: pd.DataFrame) -> None:
    if frame.empty:
        return
    value = (
        "difficulty"
        if name == "rasch"
        else "share"
        if name == "components"
        else "log_odds"
        if name == "model"
        else "estimate"
    )
    unknown = frame[frame[value].isna()]
    assert unknown["reason"].fillna("").ne("").all(), (name, unknown.head(1).to_dict("records"))
    if name in ("conditions", "means", "curves", "majority"):
        assert frame[value].dropna().between(-1e-9, 1 + 1e-9).all(), name
    for low, high in (("low", "high"), ("low_these", "high_these")):
        if {low, high} <= set(frame) and name not in ("growth", "components"):
            bounded = frame.dropna(subset=[low, high, value])
            assert ((bounded[low] <= bounded[value] + 1e-9) & (bounded[value] <= bounded[high] + 1e-9)).all(), name


def _solved(cell: Factors, q: int) -> int:
    return int(q + cell["count"] // 50 + cell["seed"]) % 5


@pytest.mark.parametrize(
    "study",
    [
        build([BASE, *CROSSED], _solved, questions={"easy": 6, "hard": 0}),
        build([BASE, trained()], _solved),
        build([trained()], _solved),
        build([BASE], _solved),
        build([BASE, *CROSSED], lambda _cell, _q: 0),
        build([BASE, *CROSSED], lambda _cell, _q: 4),
        build([BASE, *CROSSED], lambda cell, _q: 4 if cell["style"] == "r1" else 0),
        build([BASE, *CROSSED], _solved, n=1),
        build([BASE, *CROSSED], _solved, questions={"only": 1}),
        build([BASE, *CROSSED], _solved, failed=range(9)),
        build([BASE, *CROSSED], _solved, failed=[2, 5]),
        build([BASE, *CROSSED], _solved, tiers=["unheard of"]),
    ],
    ids=[
        "a tier without questions", "one level of every factor", "one cell", "the base model alone", "nothing is ever solved",
        "everything is always solved", "cells at 0 and at 1", "one attempt", "one question", "no cell is complete",
        "two cells failed", "a tier label that the manifest does not know",
    ],
)  # fmt: skip
def test_no_crash_and_no_invented_number(study: Study) -> None:
    _check(study)


def test_unequal_attempts_are_weighed_and_compared_at_a_common_k() -> None:
    few, many = build(CROSSED[:4], _solved, n=2), build(CROSSED[4:], _solved, n=8)
    manifest = {**many.manifest, "cells": [*few.manifest["cells"], *many.manifest["cells"]]}
    both = Study(manifest, pd.concat([few.results, many.results]), pd.concat([few.cells, many.cells]))
    found = _check(both)
    assert set(found.conditions["k"]) == {2}
    assert found.conditions.loc[found.conditions["tier"] == "all", "estimate"].notna().all()


def test_factors_and_lengths_that_are_missing_stay_missing() -> None:
    study = build([BASE, *CROSSED], _solved)
    tokens = np.where(study.results["question"] == "q00", np.nan, 50.0)
    bare = replace(
        study, results=study.results.assign(tokens=tokens, finish_reason=None), cells=study.cells.assign(length=None)
    )
    told = _check(bare).trajectories.settings
    lengths = told[(told["measure"] == "tokens") & (told["tier"] == "easy")]
    assert lengths["estimate"].isna().all() and set(lengths["reason"]) == {"not recorded for every attempt"}
    assert told[(told["measure"] == "tokens") & (told["tier"] == "hard")]["estimate"].eq(50).all()


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_any_counts_and_any_holes(data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.sampled_from([BASE, *CROSSED]), min_size=1, max_size=5, unique_by=name_of))
    n = data.draw(st.integers(1, 3))
    sizes = {"easy": data.draw(st.integers(1, 4)), "hard": data.draw(st.integers(0, 7))}
    counts = data.draw(st.lists(st.integers(0, n), min_size=55, max_size=55))
    study = build(cells, lambda cell, q: counts[(11 * cells.index(cell) + q) % 55], n=n, questions=sizes)
    lost = data.draw(st.sets(st.integers(0, len(study.results) - 1), max_size=3))
    _check(replace(study, results=study.results.drop(index=list(lost))))
