"""Sentences follow from the numbers by one rule, whichever way an effect points."""

import numpy as np
import pytest

from ablation.analysis import Finding, analyse
from ablation.analysis.study import Study
from ablation.analysis.wording import judge, points, sentence

from .studies import BASE, build, factorial, trained


def _about(study: Study, topic: str) -> list[Finding]:
    return [finding for finding in analyse(study).findings if finding.topic == topic]


def _style_study(r1: int, gemini: int) -> Study:
    return build(factorial(style=["r1", "gemini"]), lambda cell, _q: r1 if cell["style"] == "r1" else gemini)


@pytest.mark.parametrize(
    ("r1", "gemini", "verdict", "words"),
    [
        (1, 3, "raised", "gemini instead of r1 raised avg@4 by 50.0 points [+"),
        (3, 1, "lowered", "gemini instead of r1 lowered avg@4 by 50.0 points [−"),
        (2, 2, "open", "gemini instead of r1: not distinguishable from zero, 0.0 [−"),
    ],
)
def test_swapping_the_levels_swaps_the_words(r1: int, gemini: int, verdict: str, words: str) -> None:
    (finding,) = _about(_style_study(r1, gemini), "style")
    assert finding.verdict == verdict and words in finding.text and finding.exploratory


def test_an_interval_that_touches_zero_is_open() -> None:
    assert judge({"estimate": 0.1, "low": 0.0, "high": 0.2}) == "open"
    assert judge({"estimate": 0.1, "low": np.nan, "high": np.nan}) == "unknown"


def test_no_interval_and_no_estimate_say_why() -> None:
    row = {"estimate": 0.1, "low": np.nan, "high": np.nan, "reason": "too few"}
    assert sentence("X", "avg@4", "1 pair", row) == "X: +10.0 points of avg@4, 1 pair (too few)."
    assert sentence("X", "avg@4", "", row | {"estimate": np.nan}) == "X: cannot be estimated (too few)."
    assert (points(-0.0001), points(0.042), points(-0.042)) == ("0.0", "+4.2", "−4.2")


def test_incomplete_coverage_comes_first() -> None:
    study = build([BASE, *factorial(style=["r1", "gemini"])], lambda _cell, _q: 2, failed=[1])
    first = analyse(study, partial=True).findings[0]
    assert (first.topic, first.verdict, first.headline) == ("coverage", "warning", True)
    assert "1 of 3 cells (1 failed)" in first.text


def test_a_tier_at_its_floor_or_ceiling_is_named() -> None:
    study = build([BASE, trained()], lambda _cell, q: 4 if q < 6 else 0)
    assert [f.text.split(" in every")[0] for f in _about(study, "tier")] == [
        "Tier easy is at 100%",
        "Tier hard is at 0%",
    ]


def test_a_hypothesis_is_never_read_as_a_direction() -> None:
    plain, hoping = (
        _style_study(2, 1),
        build(
            factorial(style=["r1", "gemini"]),
            lambda cell, _q: 2 if cell["style"] == "r1" else 1,
            hypothesis="gemini raises avg@4",
        ),
    )
    assert _about(plain, "style") == _about(hoping, "style")
