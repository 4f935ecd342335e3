"""The key of a cell moves with everything that can change a number, and with nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ablation.specs.cell import Cell, addresses, sample_blocks

CellOf = Callable[..., Cell]


@pytest.mark.parametrize(
    "override", ["cluster=debug", "cluster.workers=7", "tracker=none", "outputs=/elsewhere", "study=other"]
)
def test_the_key_ignores_where_and_how_it_runs(cell_of: CellOf, override: str) -> None:
    assert cell_of(override).key == cell_of().key


def test_the_key_ignores_names_and_paths(cell_of: CellOf) -> None:
    assert cell_of("corpus.name=renamed").key == cell_of().key
    assert cell_of("length=normal", "length.band=0.25").key == cell_of("length=normal", "length.band=0.5").key


def _leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, content


# An impossible twin for each type of leaf; validation is not the subject here, identity is.
_OTHER: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value / 2,
    str: lambda value: value + "x",
}


def test_the_key_moves_with_every_leaf_of_the_science(cell_of: CellOf) -> None:
    cell = cell_of("length=long")
    for path, value in _leaves(cell.canonical()):
        if value is None or isinstance(value, list):
            continue
        assert _changed(cell, path, _OTHER[type(value)](value)).key != cell.key, ".".join(path)


def _changed(value: Any, path: tuple[str, ...], leaf: Any) -> Any:
    if not path:
        return leaf
    return value.model_copy(update={path[0]: _changed(getattr(value, path[0]), path[1:], leaf)})


def test_cells_that_differ_in_evaluation_share_their_weights(cell_of: CellOf) -> None:
    one, two = addresses(cell_of("sample.n=8")), addresses(cell_of("sample.n=16"))
    assert one["train"] == two["train"]
    assert one["sample"] == two["sample"]  # the first eight attempts
    assert list(two)[-2:] == ["sample+8", "grade"]
    assert one["grade"].digest != two["grade"].digest


def test_seeds_reach_exactly_the_stages_that_they_name(cell_of: CellOf) -> None:
    plain = addresses(cell_of())
    data, train, sample = (addresses(cell_of(f"seed.{part}=9")) for part in ("data", "train", "sample"))
    assert data["select"].digest != plain["select"].digest
    assert (train["select"], sample["train"]) == (plain["select"], plain["train"])
    assert train["train"].digest != plain["train"].digest
    assert sample["sample"].digest != plain["sample"].digest


def test_the_base_model_is_one_cell_whatever_the_factors(cell_of: CellOf) -> None:
    base = cell_of("count=n0")
    assert base.key == cell_of("count=n0", "category=geometry", "length=long", "train.epochs=1", "seed.train=5").key
    assert base.key != cell_of("count=n0", "seed.sample=5").key
    assert list(addresses(base)) == ["sample", "grade"]
    assert base.factors() == {"category": None, "count": 0, "length": None, "style": None, "seed": 0}


def test_a_cell_is_frozen(cell_of: CellOf) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        cell_of().seed.data = 3  # type: ignore[misc]


def test_what_a_cell_hands_out_can_be_changed_without_changing_the_cell(cell_of: CellOf) -> None:
    cell, equal = cell_of(), cell_of()
    cell.canonical()["train"]["epochs"] = 77
    assert cell.train
    cell.train.canonical()["epochs"] = 77
    cell.folders["grade"] = "elsewhere"
    cell.outcome.content["spec"].clear()
    addresses(cell).clear()
    cell.fixed()["train"]["epochs"] = 77
    assert (cell.key, cell.name, cell.folders) == (equal.key, equal.name, equal.folders)
    assert cell.model_copy().key == equal.key


def test_a_changed_copy_has_a_key_of_its_own(cell_of: CellOf) -> None:
    cell = cell_of()
    assert cell.key
    longer = cell.model_copy(update={"count": cell_of("count.size=77").count})
    assert longer.key == cell_of("count.size=77").key != cell.key
    assert longer.folders["train"] != cell.folders["train"]


def test_a_recorded_cell_keeps_its_folders_and_is_equal(cell_of: CellOf) -> None:
    cell = cell_of()
    recorded = Cell.recorded(dict(cell), {"grade": "grade/recorded"})
    assert recorded == cell
    assert recorded.folders == {"grade": "grade/recorded"}


def test_an_integer_seed_sets_all_three(cell_of: CellOf) -> None:
    assert cell_of("seed=3").seed == cell_of("seed.data=3", "seed.train=3", "seed.sample=3").seed
    assert cell_of("seed=3").seed.replicate == 3
    assert cell_of("seed.train=3").seed.replicate is None


@given(st.integers(1, 5000))
def test_blocks_hold_every_attempt_once_and_stay_when_more_are_asked_for(n: int) -> None:
    blocks = list(sample_blocks(n).values())
    assert [attempt for block in blocks for attempt in block] == list(range(n))
    assert blocks[:-1] == list(sample_blocks(n + 1).values())[: len(blocks) - 1]
    assert sample_blocks(64) == {"sample": range(8), "sample+8": range(8, 64)}
