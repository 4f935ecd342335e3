"""Effects compare like with like, and stay the same under what should not matter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablation.analysis import Scores, curves, factor_effects, marginal_means, points_per_doubling
from ablation.analysis.records.load import Study
from tests.analysis.studies import BASE, Factors, build, factorial, name_of, trained, without

STYLE_POINTS = {"r1": 2, "gemini": 1}


def _row(frame: pd.DataFrame, **labels: object) -> "pd.Series[Any]":
    chosen = frame
    for column, value in ({"tier": "all"} | labels).items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def _by_style(cell: Factors, q: int) -> int:
    return STYLE_POINTS[cell["style"]] + q % 2


def test_an_unbalanced_design_gives_no_confounded_contrast() -> None:
    """Style alone matters, and the long cells happen to be r1: naively, length would seem to matter."""
    cells = factorial(length=["normal"], style=["r1", "gemini"], seed=[0, 1, 2])
    cells += factorial(length=["long"], style=["r1"], seed=[0, 1, 2])
    scores = Scores.of(build(cells, _by_style))
    naive = scores.averages()["all"].groupby(scores.cells["length"]).mean()
    assert naive["long"] - naive["normal"] > 0.1
    length = _row(factor_effects(scores), factor="length")
    assert (length["estimate"], length["pairs"]) == (0, 3) and length["low"] < 0 < length["high"]
    means = marginal_means(scores)
    assert _row(means, level="long")["estimate"] == _row(means, level="normal")["estimate"]
    assert _row(factor_effects(scores), factor="style")["estimate"] == pytest.approx(-0.25)


def test_one_factor_at_a_time_is_estimated_at_its_centre() -> None:
    cells = [trained(), trained(count=100), trained(length="long"), trained(style="gemini")]
    effects = factor_effects(Scores.of(build(cells, _by_style)))
    for factor, difference in (("count", 0), ("length", 0), ("style", -0.25)):
        assert (_row(effects, factor=factor)["estimate"], _row(effects, factor=factor)["pairs"]) == (difference, 1)


def test_cells_are_never_matched_across_seeds() -> None:
    effects = factor_effects(Scores.of(build([trained(seed=0), trained(style="gemini", seed=1)], _by_style)))
    style = _row(effects, factor="style")
    assert np.isnan(style["estimate"])
    assert style["reason"] == "no complete cells that differ in this alone"


def test_cells_that_the_records_cannot_tell_apart_are_not_compared() -> None:
    study = build([trained(), trained(style="gemini")], _by_style)
    twin = study.cells[study.cells["style"] == "r1"].assign(cell="twin", state="missing")
    manifest = {**study.manifest, "cells": [*study.manifest["cells"], {"cell": "twin", "planned_attempts": 48}]}
    scores = Scores.of(Study(manifest, study.results, pd.concat([study.cells, twin])), partial=True)
    assert np.isnan(_row(factor_effects(scores), factor="style")["estimate"])


def test_a_factor_with_one_level_has_a_reason_instead_of_a_number() -> None:
    effects = factor_effects(Scores.of(build([trained(), trained(count=100)], _by_style)))
    assert effects.loc[effects["factor"] == "style", "estimate"].isna().all()
    assert set(effects.loc[effects["factor"] == "style", "reason"]) == {"only one level in this study"}


def test_an_incomplete_cell_takes_its_partners_out_of_the_comparison() -> None:
    cells = factorial(style=["r1", "gemini"], seed=[0, 1])
    study = build(cells, lambda cell, q: 4 if cell["seed"] else _by_style(cell, q))
    lost = (study.results["cell"] == name_of(cells[1])) & (study.results["attempt"] == 0)
    style = _row(factor_effects(Scores.of(without(study, lost), partial=True)), factor="style")
    assert (style["pairs"], style["estimate"]) == (1, pytest.approx(-0.25))


def test_every_estimate_names_its_estimand() -> None:
    one = factor_effects(Scores.of(build([trained(), trained(style="gemini")], _by_style)))
    assert one["estimand"].str.contains("questions like these.*training-seed variance is not included").all()
    more = factor_effects(Scores.of(build(factorial(style=["r1", "gemini"], seed=[0, 1]), _by_style)))
    assert more["estimand"].str.contains("questions like these and further training seeds").all()


def _noisy() -> Study:
    draw = np.random.default_rng(1).integers(0, 5, size=(8, 12))
    cells = factorial(count=[25, 50], length=["long", "normal"], style=["r1", "gemini"])
    lines = {name_of(cell): line for cell, line in zip(cells, draw, strict=True)}
    return build([BASE, *cells], lambda cell, q: int(lines[name_of(cell)][q]) if cell["count"] else 1)


@pytest.mark.parametrize("estimates", [factor_effects, marginal_means, points_per_doubling, curves])
def test_the_order_of_the_records_changes_nothing(estimates: Callable[[Scores], pd.DataFrame]) -> None:
    study = _noisy()
    shuffled = study.results.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        estimates(Scores.of(study)), estimates(Scores.of(Study(study.manifest, shuffled, study.cells)))
    )


def test_renaming_questions_and_levels_leaves_the_estimates() -> None:
    study = _noisy()
    renamed = study.results.assign(question=study.results["question"].str[::-1])
    relabelled = study.cells.replace({"style": {"gemini": "a", "r1": "b"}})
    before = factor_effects(Scores.of(study)).query("factor != 'style'")
    after = factor_effects(Scores.of(Study(study.manifest, renamed, relabelled))).query("factor != 'style'")
    np.testing.assert_allclose(before["estimate"], after["estimate"])
    np.testing.assert_allclose(before["low"], after["low"])
    np.testing.assert_allclose(before["low_bootstrap"], after["low_bootstrap"], atol=0.02)  # other questions are drawn


def test_five_questions_are_too_few_for_an_interval() -> None:
    effects = factor_effects(Scores.of(build([trained(), trained(style="gemini")], _by_style, questions={"few": 5})))
    style = _row(effects, factor="style")
    assert style["estimate"] == pytest.approx(-0.25)
    assert np.isnan(style["low"]) and style["reason"].startswith("fewer than 6 questions")


def test_the_slope_is_in_points_per_doubling_and_each_set_has_its_own_level() -> None:
    doublings = {25: 0, 50: 1, 100: 2, 200: 3}
    cells = factorial(count=doublings, style=["r1"]) + factorial(count=[25, 100], style=["gemini"])
    level = {"r1": 1, "gemini": 0}
    scores = Scores.of(build(cells, lambda cell, _q: level[cell["style"]] + doublings[cell["count"]], n=4))
    slopes = points_per_doubling(scores)
    pooled = slopes[slopes["length"].isna() & (slopes["tier"] == "all")].iloc[0]
    assert (pooled["estimate"], pooled["sets"], pooled["counts"]) == (pytest.approx(0.25), 2, 4)
    points = curves(scores)
    gemini = points[(points["style"] == "gemini") & (points["tier"] == "all")]
    assert dict(zip(gemini["count"], gemini["estimate"], strict=True)) == {25: 0, 100: 0.5}


def test_training_is_compared_with_the_base_model() -> None:
    effects = factor_effects(Scores.of(build([BASE, trained()], lambda cell, _q: 3 if cell["count"] else 1)))
    assert _row(effects, factor="training")["estimate"] == pytest.approx(0.5)
    without_base = factor_effects(Scores.of(build([trained()], _by_style)))
    assert _row(without_base, factor="training")["reason"] == "no complete cell of the base model"
