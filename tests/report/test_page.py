"""The page: whole for every study, safe with hostile names, the same bytes each time."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from ablation.analysis.records.load import Study
from ablation.report.page import write_report
from tests.analysis.studies import BASE, QUESTIONS, build, factorial, save, trained, without

HOSTILE = '<script>alert(1)</script>\x1b[31m\u202eevil\x00 $x^{2}$ & "quoted" \'\ud800'
SECTIONS = [
    "answer", "ladder", "scaling", "effects", "questions", "potential", "trajectories", "cells", "read", "training", "missing",
    "provenance",
]  # fmt: skip
GRID = factorial(count=[25, 50], length=["long", "normal"], style=["r1", "gemini"])


class Page(HTMLParser):
    """Collects elements, attributes and text; checks that what is opened is closed."""

    VOID = frozenset({"meta", "br", "path", "use", "rect", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def _html(study: Study, folder: Path, for_paper: bool = False) -> str:
    return write_report(save(study, folder), for_paper).read_text(encoding="utf-8")


def _bytes(report: Path) -> dict[str, bytes]:
    return {str(path.relative_to(report)): path.read_bytes() for path in report.rglob("*") if path.is_file()}


def _full() -> Study:
    study = build(
        [BASE, *GRID],
        lambda cell, q: (q + len(str(cell["style"]))) % 5,
        failed=[3],
        note="A model of the mechanism.",
        hypothesis="None.",
        command="python launch.py -m sweep=tiny",
        left_out=[{"factors": {"count": 500}, "reason": "the band holds 400"}],
        provenance={"git": "abc123", "versions": {"torch": "2"}, "hostname": "here"},
    )
    loss = pd.DataFrame(
        {"cell": study.cells["cell"].iloc[1], "update": range(50), "loss": [1 / (i + 1) for i in range(50)]}
    )
    return Study(study.manifest, study.results, study.cells.assign(updates=50, train_loss=0.02), loss)


def test_a_full_page_is_whole_self_contained_and_the_same_bytes_twice(tmp_path: Path) -> None:
    html = _html(_full(), tmp_path, for_paper=True)
    page = Page(html)
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert len(page.ids) == len(set(page.ids)), "an id occurs twice"
    links = [url for url in page.urls if not url.startswith("#")]
    assert links and all((tmp_path / "report" / link).is_file() for link in links), "a link leads out of the report"
    assert page.tags.count("script") == 2 and "default-src 'none'" in html
    for text in (
        "A model of the mechanism.",
        "python launch.py -m sweep=tiny",
        "the band holds 400",
        "it broke",
        "abc123",
    ):
        assert text in html
    before = _bytes(tmp_path / "report")
    write_report(tmp_path)
    assert _bytes(tmp_path / "report") == before
    assert {path.split("/")[0] for path in before} == {"index.html", "figures", "tables"}, "something was left behind"


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    study = build([BASE, *GRID], lambda _cell, q: q % 4, questions={HOSTILE[:-1]: 6, "日本": 6}, failed=[2])
    results = study.results.replace({"style": {"r1": HOSTILE[:-1]}, "question": {"q00": HOSTILE[:-1]}})
    cells = study.cells.replace({"style": {"r1": HOSTILE[:-1]}})
    manifest = {**study.manifest, "study": HOSTILE, "note": HOSTILE, "command": HOSTILE}
    manifest["cells"] = [{**cell, "error": HOSTILE} if cell["error"] else cell for cell in manifest["cells"]]
    html = _html(Study(manifest, results, cells), tmp_path)
    assert Page(html).tags.count("script") == 2
    assert "&lt;script&gt;alert(1)" in html
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html)


@pytest.mark.parametrize(
    "study",
    [
        pytest.param(build([BASE, trained()], lambda _c, _q: 0, failed=[0, 1]), id="no cell done"),
        pytest.param(build([BASE], lambda _c, _q: 1), id="the base model alone"),
        pytest.param(build([trained()], lambda _c, _q: 1), id="one cell, no base, one level of each factor"),
        pytest.param(build([BASE, *GRID[:2]], lambda _c, q: 4 if q < 6 else 0), id="tiers at ceiling and floor"),
        pytest.param(
            build(factorial(style=["r1", "x"], seed=[0, 1, 2]), lambda _c, q: q % 5), id="several seeds, no base"
        ),
        pytest.param(
            build([BASE, *GRID], lambda _c, q: q % 5, questions={f"t{i}": 1 for i in range(9)}), id="many tiny tiers"
        ),
        pytest.param(
            build([BASE, *GRID[:2]], lambda _c, q: q % 5, questions={**QUESTIONS, "void": 0}), id="an empty tier"
        ),
    ],
)
def test_every_study_has_a_page(study: Study, tmp_path: Path) -> None:
    html = _html(study, tmp_path)
    assert [name for name in Page(html).ids if name in SECTIONS] == SECTIONS
    assert not re.search(r">\s*(nan|None|&lt;NA&gt;)\s*<", html)


def test_a_cell_without_all_attempts_has_dashes_not_zeros(tmp_path: Path) -> None:
    study = build([trained()], lambda _c, _q: 4)
    html = _html(without(study, study.results["attempt"] == 3), tmp_path)
    row = re.search(r'<tr title="algebra-50.*?</tr>', html, re.DOTALL)
    assert row and row[0].count(">–</td>") == 8 and "100.0" not in row[0]
    assert "12 attempts missing" in html
