"""Selection as properties, over corpora that hypothesis makes up."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ablation.config.read import read_cell
from ablation.data.corpus.length_bands import length_classes
from ablation.data.corpus.select import UsableRows, drawing_order, find_candidates, ids_digest, shortage
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell
from tests.conftest import Composed

TYPES, STYLES = ("Algebra", "Geometry", "Calculus"), ("r1", "gemini")


@st.composite
def corpora(draw: st.DrawFn) -> pd.DataFrame:
    """A sifted index of up to 120 trajectories: problems of three types with up to two trajectories in each of two styles."""
    counts = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(TYPES), st.integers(1, 400))
    rows = []
    for number, (r1, gemini, kind, tokens) in enumerate(draw(st.lists(counts, min_size=4, max_size=30))):
        for index in range(r1 + gemini):
            style = "r1" if index < r1 else "gemini"
            length = tokens + 7 * index if style == "r1" else max(1, tokens // 2)
            rows.append((f"p{number}#{index}", f"key{number}", kind, "source", style, length))
    frame = pd.DataFrame(rows, columns=["id", "problem_key", "problem_type", "source", "style", "tokens"])
    return frame.assign(total_tokens=frame["tokens"] + 9, position=range(len(frame)))


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """One composed configuration; the tests change its factors as values."""
    from hydra import compose, initialize_config_dir

    from ablation.config.read import plain
    from tests.conftest import ROOT

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return plain(compose("config"))


def cell(template: dict[str, Any], size: int = 1, seed: int = 0, **factors: dict[str, Any]) -> Cell:
    levels = {
        "category": {"name": "diverse", "problem_types": list(TYPES), "balanced": True, "near": None},
        "length": {"name": "normal", "band": 0.5},
        "style": {"name": "r1", "paired": []},
        **factors,
    }
    return read_cell({**template, **levels, "count": {"size": size}, "seed": {"data": seed, "train": 0, "sample": 0}})


ANY = {"name": "all", "problem_types": None, "balanced": False, "near": None}
LENGTHS: list[dict[str, Any]] = [
    {"name": "normal", "band": 0.5},
    {"name": "short", "band": 0.4},
    {"name": "long", "band": 3},
    {"name": "quantiles", "band": 0.5, "low": 0.25, "high": 0.75},
    {"name": "matched", "band": 0.5, "across": {"styles": list(STYLES), "problem_types": []}, "tolerance": 0.3},
]
quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def chosen(frame: pd.DataFrame, one: Cell) -> pd.DataFrame:
    try:
        found = find_candidates(UsableRows(frame), one)
    except ConfigProblems:
        assume(False)
        raise
    assume(found.largest > 0)
    return drawing_order(found, one)


@quick
@given(
    frame=corpora(),
    length=st.sampled_from(LENGTHS),
    seed=st.integers(0, 3),
    balanced=st.booleans(),
    paired=st.booleans(),
)
def test_draws_are_nested_distinct_and_hold_to_their_levels(
    template: dict[str, Any], frame: pd.DataFrame, length: dict[str, Any], seed: int, balanced: bool, paired: bool
) -> None:
    levels: dict[str, Any] = {"length": length} if balanced else {"length": length, "category": ANY}
    levels["style"] = {"name": "r1", "paired": list(STYLES) if paired else []}
    one = cell(template, seed=seed, **levels)
    whole = chosen(frame, one)
    found = find_candidates(UsableRows(frame), one)
    assert whole["id"].is_unique
    assert set(whole["style"]) == {"r1"}
    assert len(whole) == found.funnel["in_band"] >= found.largest
    assert list(found.funnel.values()) == sorted(found.funnel.values(), reverse=True)
    shuffled = chosen(frame.sample(frac=1, random_state=1), one)
    assert shuffled["id"].tolist() == whole["id"].tolist()
    if balanced:
        for size in range(1, found.largest + 1):
            counts = whole.head(size)["problem_type"].value_counts().reindex(list(TYPES), fill_value=0)
            assert counts.max() - counts.min() <= 1


@quick
@given(frame=corpora(), more=corpora(), seed=st.integers(0, 3))
def test_the_order_does_not_depend_on_what_else_the_corpus_holds(
    template: dict[str, Any], frame: pd.DataFrame, more: pd.DataFrame, seed: int
) -> None:
    one = cell(template, seed=seed, category=ANY)
    before = chosen(frame, one)["id"].tolist()
    larger = pd.concat(
        [frame, more.assign(id="q" + more["id"], problem_key="q" + more["problem_key"])], ignore_index=True
    )
    kept = set(before)
    assert [name for name in chosen(larger, one)["id"] if name in kept] == before


@quick
@given(frame=corpora(), seed=st.integers(0, 3))
def test_matched_styles_have_the_same_lengths_at_every_count(
    template: dict[str, Any], frame: pd.DataFrame, seed: int
) -> None:
    drawn_of = {
        style: chosen(
            frame, cell(template, seed=seed, category=ANY, length=LENGTHS[4], style={"name": style, "paired": []})
        )
        for style in STYLES
    }
    r1, gemini = drawn_of["r1"], drawn_of["gemini"]
    assert length_classes(r1["tokens"], 0.3) == length_classes(gemini["tokens"], 0.3)
    most = Counter(length_classes(frame[frame["style"] == "r1"]["tokens"], 0.3)) & Counter(
        length_classes(frame[frame["style"] == "gemini"]["tokens"], 0.3)
    )
    assert len(r1) == most.total()


@quick
@given(frame=corpora(), seed=st.integers(0, 3))
def test_matched_categories_have_the_same_lengths_and_so_has_diverse(
    template: dict[str, Any], frame: pd.DataFrame, seed: int
) -> None:
    length = {"name": "matched", "band": 0.5, "across": {"styles": [], "problem_types": list(TYPES)}, "tolerance": 0.3}
    found = []
    for kind in TYPES:
        category = {"name": "one", "problem_types": [kind], "balanced": False, "near": None}
        found.append(
            length_classes(chosen(frame, cell(template, seed=seed, category=category, length=length))["tokens"], 0.3)
        )
    assert found[0] == found[1] == found[2]
    diverse = chosen(frame, cell(template, seed=seed, length=length))
    assert length_classes(diverse["tokens"], 0.3) == [one for one in found[0] for _ in TYPES]


@quick
@given(frame=corpora(), seed=st.integers(0, 3), length=st.sampled_from(LENGTHS[:4]), balanced=st.booleans())
def test_paired_styles_train_on_the_same_questions(
    template: dict[str, Any], frame: pd.DataFrame, seed: int, length: dict[str, Any], balanced: bool
) -> None:
    levels: dict[str, Any] = {"length": length} if balanced else {"length": length, "category": ANY}
    problems = [
        chosen(frame, cell(template, seed=seed, **levels, style={"name": style, "paired": list(STYLES)}))[
            "problem_key"
        ].tolist()
        for style in STYLES
    ]
    assert problems[0] == problems[1]
    assert len(set(problems[0])) == len(problems[0])


@quick
@given(frame=corpora())
def test_quarters_of_lengths_are_the_whole(template: dict[str, Any], frame: pd.DataFrame) -> None:
    edges = [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]
    whole = chosen(frame, cell(template, category=ANY))
    quarters = []
    for low, high in edges:
        length = {"name": "quantiles", "band": 0.5, "low": low, "high": high}
        quarters.append(
            drawing_order(find_candidates(UsableRows(frame), one := cell(template, category=ANY, length=length)), one)
        )
    assert sorted(name for part in quarters for name in part["id"]) == sorted(whole["id"])
    filled = [part["tokens"] for part in quarters if len(part)]
    assert all(one.max() <= other.min() for one, other in pairwise(filled))


@quick
@given(frame=corpora(), size=st.integers(1, 80))
def test_a_cell_that_cannot_be_filled_says_how_many_there_are(
    template: dict[str, Any], frame: pd.DataFrame, size: int
) -> None:
    there = int((frame["style"] == "r1").sum())
    assume(there > 0)
    told = shortage(UsableRows(frame), cell(template, size=size, category=ANY))
    assert (told is None) == (size <= there)
    assert told is None or f"given {size} for " in told
    assert told is None or f"allowed: 1 to {there} " in told


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        (
            {"style": {"name": "r1", "paired": ["r1", "claude"]}},
            "style.paired: given 'claude'; corpus mini has: gemini, r1",
        ),
        (
            {"length": {**LENGTHS[4], "across": {"styles": [], "problem_types": ["Geometry"]}}},
            "length.across.problem_types: given .'Geometry'.* must hold the cell's own type",
        ),
        (
            {"length": {**LENGTHS[4], "across": {"styles": ["gemini"], "problem_types": []}}},
            "length.across.styles: given .'gemini'.*; it must hold 'r1'",
        ),
    ],
)
def test_a_comparison_that_the_cell_is_no_part_of_is_refused(
    template: dict[str, Any], factors: dict[str, Any], said: str
) -> None:
    rows = [(f"{kind}{style}", kind, kind, "s", style, 5) for kind in TYPES for style in STYLES]
    frame = pd.DataFrame(rows, columns=["id", "problem_key", "problem_type", "source", "style", "tokens"])
    with pytest.raises(ConfigProblems, match=said):
        find_candidates(UsableRows(frame.assign(total_tokens=9, position=range(6))), cell(template, **factors))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"length": {"name": "quantiles", "band": 0.5}}, "both with quantiles, and only then"),
        ({"length": {"name": "quantiles", "band": 0.5, "low": 0.5, "high": 0.5}}, "low=0.5 must be below high=0.5"),
        ({"length": {"name": "matched", "band": 0.5}}, "say across what with matched"),
        ({"length": {"name": "matched", "band": 0.5, "across": {}}}, "whose lengths are to be matched"),
        ({"style": {"name": "r1", "paired": ["gemini"]}}, "must hold the style itself, 'r1'"),
    ],
)
def test_levels_that_are_half_described_are_refused(
    template: dict[str, Any], content: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigProblems, match=said):
        cell(template, **content)


def test_a_level_of_lengths_has_a_name_of_its_own(composed: Composed) -> None:
    found = read_cell(composed("length=q2"))
    assert found.factors()["length"] == "q25-50"
    assert "-q25-50-" in found.slug


def test_a_whole_selection_does_not_depend_on_the_process(tmp_path: Path) -> None:
    """From the corpus to the chosen ids: pool, filters, likeness to a tier, lengths matched over styles, each made anew."""
    told = set()
    for seed in ("0", "1"):
        cells = ["category=similar", "length=matched_styles style=r1 category=algebra", "category=diverse style=gemini"]
        for number, cell in enumerate(cells):
            outputs = tmp_path / f"{seed}-{number}"
            command = [sys.executable, "-m", "ablation.cli", "audit", "--json", "count.size=40", *cell.split()]
            found = subprocess.run(
                [*command, f"outputs={outputs}"], env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            told.add((number, json.dumps(json.loads(found.stdout)["selections"], sort_keys=True)))
    assert len(told) == 3


def test_orders_and_digests_do_not_depend_on_the_process() -> None:
    program = (
        "import pandas as pd\nfrom ablation.data.corpus.seeded_order import shuffled\n"
        "from ablation.data.corpus.select import ids_digest\n"
        "from ablation.data.corpus.length_bands import draw_matched, common_capacity\n"
        "from ablation.data.corpus.normalise import problem_key\n"
        "f = pd.DataFrame({'id': [f'r{i}' for i in range(20)], 'length': [10 + i % 3 for i in range(20)]})\n"
        "print(list(shuffled(f, 3)['id']), ids_digest(f['id']), problem_key('x'),"
        "list(draw_matched(f, common_capacity([f, f.head(9)], 0.1), 0.1, 3, 'id')['id']))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(told) == 1
    assert ids_digest(["b", "a"]) == ids_digest(["a", "b"]) != ids_digest(["ab"])
