"""The table in the terminal: narrow, plain, and deaf to escapes in names."""

import io

import pytest
from rich.console import Console

from ablation.analysis.findings.analyse import analyse
from ablation.analysis.records.load import Study
from ablation.report.display_text import clean, short
from ablation.report.terminal import render_summary
from tests.analysis.studies import BASE, build, factorial, trained

STUDY = build([BASE, *factorial(count=[25, 50], style=["r1", "gemini"])], lambda cell, q: q % 3 + (cell["count"] == 50))


def _printed(study: Study, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(render_summary(analyse(study, partial=True)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_and_shows_levels_and_findings(width: int) -> None:
    text = _printed(STUDY, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    for phrase in ("base model", "gemini", "easy", "Each doubling of the count raised avg@4"):
        assert phrase in " ".join(text.split())


def test_a_study_with_nothing_done_is_shown_too() -> None:
    assert "Incomplete: 1 of 1 cell (1 failed)" in _printed(build([trained()], lambda _c, _q: 0, failed=[0]), 80)


def test_escapes_and_markup_in_names_are_inert() -> None:
    hostile = "\x1b[2J[red]x\u202e\x00"
    study = Study(
        {**STUDY.manifest, "study": hostile, "note": hostile}, STUDY.results, STUDY.cells.replace("gemini", hostile)
    )
    text = _printed(study, 100)
    assert "[red]x" in text and not {"\x1b", "\u202e", "\x00"} & set(text)


def test_cleaning_keeps_words_and_cuts_visibly() -> None:
    assert clean("a\nb\tc\x07d\ud800") == "a b c\ufffdd\ufffd"
    assert clean("μ ≥ 日本 “x”") == "μ ≥ 日本 “x”"
    assert short("abcdef", 4) == "abc…"
