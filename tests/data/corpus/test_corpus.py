"""From the rows of a corpus to the selection of a cell: a broken row is named, seeds and counts draw as they promise.

Walks through data, jobs.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablation.data.corpus.generations import read_generations
from ablation.data.corpus.pool import INDEX_FILE, make_pool
from ablation.data.corpus.select import (
    UsableRows,
    drawing_order,
    find_candidates,
    make_selection,
    read_selection,
    shortage,
)
from ablation.data.corpus.sift import read_kept
from ablation.errors import ConfigProblems, DataError
from ablation.jobs.run.pipeline import run_cell
from ablation.specs import Corpus
from ablation.specs.cell import Cell
from ablation.store.store import Store
from tests.conftest import openr1_row, write_lines

CellOf = Callable[..., Cell]


def corpus(path: Path, **fields: Any) -> Corpus:
    content = {"name": "test", "reader": "openr1", "keep": "right", "source": {"path": str(path)}}
    return Corpus.model_validate({**content, **fields}, strict=False)


def test_either_checker_makes_a_generation_right(tmp_path: Path) -> None:
    rows = [
        openr1_row(0, correctness_math_verify=[True, False], correctness_llama=[False, True]),
        openr1_row(1, correctness_math_verify=[True, False], correctness_llama=None),
    ]
    found = list(read_generations(corpus(write_lines(tmp_path / "c.jsonl", rows))))
    assert [[one.right for one in row] for row in found] == [[True, True], [True, False]]


def test_absent_styles_mean_r1(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", [openr1_row(0), openr1_row(1, generation_styles=["r1", "gemini"])])
    assert [one.style for row in read_generations(corpus(path)) for one in row] == ["r1", "r1", "r1", "gemini"]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"generations": None}, "row 0, column generations"),
        ({"correctness_math_verify": [True]}, "row 0, column correctness_math_verify: 1 values for 2 generations"),
        ({"problem": 3}, "row 0, column problem"),
        ({"generation_styles": ["r1"]}, "row 0, column generation_styles"),
        ({"is_reasoning_complete": ["yes", "no"]}, "row 0, column is_reasoning_complete"),
    ],
)
def test_a_corrupt_row_is_named_by_row_and_column(tmp_path: Path, columns: dict[str, Any], named: str) -> None:
    """Alone in its file, so that the reader takes the column's type as it stands and the schema has to refuse it."""
    path = write_lines(tmp_path / "c.jsonl", [openr1_row(0, **columns)])
    with pytest.raises(DataError, match=re.escape(named)):
        list(read_generations(corpus(path)))


def test_rows_are_counted_from_zero(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", [openr1_row(0), openr1_row(1), openr1_row(2, generations=None)])
    with pytest.raises(DataError, match="row 2, column generations"):
        list(read_generations(corpus(path)))


@pytest.mark.parametrize(
    ("keep", "kept"), [("right", ["row-0#0"]), ("all", ["row-0#0", "row-0#1", "row-1#0", "row-1#1"])]
)
def test_right_means_right_and_complete(tmp_path: Path, cell_of: CellOf, keep: str, kept: list[str]) -> None:
    rows = [
        openr1_row(0, is_reasoning_complete=[True, False]),
        openr1_row(1, correctness_math_verify=[False, False]),
    ]
    make_pool(corpus(write_lines(tmp_path / "c.jsonl", rows), keep=keep), cell_of().model, tmp_path)
    assert list(pd.read_parquet(tmp_path / INDEX_FILE)["id"]) == kept


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    row = openr1_row(0)
    row["generation"] = row.pop("generations")
    with pytest.raises(DataError, match=r"row 0, column generations: Field required.*did you mean 'generation'"):
        list(read_generations(corpus(write_lines(tmp_path / "c.jsonl", [row]))))


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match="cannot be read"):
        list(read_generations(corpus(tmp_path / "c.parquet")))


def test_two_rows_with_one_uuid_are_refused(tmp_path: Path, cell_of: CellOf) -> None:
    rows = [openr1_row(0), openr1_row(1, uuid="row-0")]
    cell = cell_of(f"corpus.source.path={write_lines(tmp_path / 'c.jsonl', rows)}")
    with pytest.raises(DataError, match="share an id, first 'row-0#0'"):
        run_cell(cell, Store(tmp_path / "store"), last="sift")


@pytest.fixture(scope="module")
def pool_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for the module: the pool of the embedded corpus is made once."""
    return Store(tmp_path_factory.mktemp("pool"))


def usable_of(cell: Cell, store: Store) -> UsableRows:
    return UsableRows(read_kept(run_cell(cell, store, last="sift")["sift"]))


@pytest.fixture
def chosen(cell_of: CellOf, pool_store: Store) -> Callable[..., list[str]]:
    """The ids that a cell selects, in order."""

    def choose(*overrides: str) -> list[str]:
        cell = cell_of(*overrides)
        paths = run_cell(cell, pool_store, last="select")
        return [one.id for one in read_selection(paths["select"], paths["pool"])]

    return choose


@pytest.mark.parametrize(
    "factors", [("length=short",), ("category=diverse", "style=gemini"), ("category=geometry", "seed=7")]
)
def test_smaller_counts_are_inside_larger_ones(chosen: Callable[..., list[str]], factors: tuple[str, ...]) -> None:
    small, medium, large = (chosen(*factors, f"count.size={size}") for size in (10, 20, 40))
    assert large[:20] == medium
    assert medium[:10] == small
    assert len(set(large)) == 40


def test_seeds_draw_other_trajectories(chosen: Callable[..., list[str]]) -> None:
    assert chosen("count.size=20") != chosen("count.size=20", "seed.data=1")
    assert chosen("count.size=20") == chosen("count.size=20", "seed.train=1", "seed.sample=1")


def test_bands_are_the_shortest_and_longest_of_the_pool(cell_of: CellOf, pool_store: Store) -> None:
    cells = {name: cell_of(f"length={name}", "category=algebra") for name in ("short", "normal", "long")}
    pool = usable_of(cells["normal"], pool_store)
    bands = {name: drawing_order(find_candidates(pool, cell), cell)["tokens"] for name, cell in cells.items()}
    assert bands["short"].max() <= bands["long"].min()
    assert bands["short"].min() == bands["normal"].min()
    assert bands["long"].max() == bands["normal"].max()
    assert len(bands["short"]) == len(bands["long"]) == -(-len(bands["normal"]) * 3334 // 10000)


def test_diverse_is_even_over_categories_at_every_count(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category=diverse", "length=short")
    pool = usable_of(cell, pool_store)
    ordered = drawing_order(find_candidates(pool, cell), cell)
    for size in (7, 30, 70):
        counts = ordered["problem_type"].head(size).value_counts()
        assert counts.max() - counts.min() <= 1


def test_the_funnel_adds_up(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category=geometry", "length=long", "count.size=12")
    paths = run_cell(cell, pool_store, last="select")
    told = pd.read_json(paths["select"] / "summary.json", typ="series")
    order = [
        "generations",
        "not_empty",
        "right",
        "complete",
        "decontaminated",
        "in_category",
        "in_style",
        "in_band",
        "chosen",
    ]
    counts = [told["funnel"][name] for name in order]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 12
    lengths = sorted(one.tokens for one in read_selection(paths["select"], paths["pool"]))
    assert (told["tokens"]["p0"], told["tokens"]["p100"]) == (lengths[0], lengths[-1])


def test_a_count_beyond_the_band_says_how_many_there_are(cell_of: CellOf, pool_store: Store, tmp_path: Path) -> None:
    cell = cell_of("count.size=99999")
    sifted = run_cell(cell, pool_store, last="sift")["sift"]
    found = shortage(UsableRows(read_kept(sifted)), cell)
    assert found is not None
    assert "count.size: given 99999" in found
    assert "allowed: 1 to " in found
    with pytest.raises(ConfigProblems, match="given 99999"):
        make_selection(sifted, None, cell, tmp_path)


def test_bands_that_would_overlap_are_refused(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category=algebra", "length=long", "length.band=1500")
    found = shortage(usable_of(cell, pool_store), cell)
    assert found is not None
    assert "length.band: given 1500" in found
    assert "short and long would share trajectories" in found


def test_a_balanced_category_is_even_or_refused(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category=diverse", "count.size=700")
    pool = usable_of(cell, pool_store)
    kept = pool.kept
    rare = kept[(kept["problem_type"] != "Geometry") | (kept.groupby("problem_type").cumcount() < 30)]
    found = shortage(UsableRows(rare), cell)
    assert shortage(pool, cell) is None
    assert found is not None
    assert "count.size: given 700" in found


def test_a_band_in_numbers_is_shared_out_exactly(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category=diverse", "length=short", "length.band=1000")
    pool = usable_of(cell, pool_store)
    assert len(drawing_order(find_candidates(pool, cell), cell)) == 1000


def test_an_empty_category_is_named_with_what_the_corpus_has(cell_of: CellOf, pool_store: Store) -> None:
    cell = cell_of("category.problem_types=[Algebr]", "style.name=claude", "style.paired=[]")
    found = shortage(usable_of(cell, pool_store), cell)
    assert found is not None
    assert "given 'Algebr'" in found
    assert "did you mean 'Algebra'" in found
    assert "given 'claude'; corpus mini has: gemini, r1" in found
