"""Sentences follow from the numbers by one rule, whichever way an effect points."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from ablation.analysis import Finding, analyse
from ablation.analysis.findings.estimate_text import judge, points, sentence
from ablation.analysis.records.load import Study
from ablation.specs.primary import Primary
from tests.analysis.studies import BASE, build, factorial, trained


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


def test_what_was_named_beforehand_comes_first_and_alone_is_confirmatory() -> None:
    study = _style_study(1, 3)
    named = {"factor": "style", "level": "gemini", "reference": "r1", "tier": "all"}
    findings = analyse(replace(study, manifest={**study.manifest, "primary": named})).findings
    assert [found.topic for found in findings if found.verdict == "raised" and not found.exploratory] == ["primary"]
    assert findings[0].text.startswith(
        "Named beforehand (style gemini against r1, all questions): this raised avg@4 by"
    )
    assert any("every other one is exploratory" in found.text for found in findings)


def test_a_comparison_that_the_records_cannot_make_is_said_to_be_so() -> None:
    study = _style_study(1, 3)
    for named in ({"factor": "count"}, {"factor": "style", "level": "gemini", "reference": "r2"}):
        (found,) = _about(replace(study, manifest={**study.manifest, "primary": named}), "primary")
        assert found.verdict == "unknown"


@pytest.mark.parametrize(
    "wrong",
    [{"factor": "style"}, {"factor": "style", "level": "r1"}, {"factor": "sytle", "level": "a", "reference": "b"}],
)
def test_a_primary_comparison_that_compares_nothing_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Primary.model_validate(wrong)
