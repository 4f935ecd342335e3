"""Filters choose the cells that meet every condition, and refuse all that the study does not have at once."""

from collections.abc import Callable

import pytest

from ablation.jobs.status.filters import UnknownFilter, read_filters
from ablation.specs.cell import Cell

STATES = ("done", "failed", "missing")


@pytest.fixture
def cells(cell_of: Callable[..., Cell]) -> list[Cell]:
    return [
        cell_of("count=n0"),
        *(cell_of(f"category={c}", f"count={n}") for c in ("algebra", "geometry") for n in ("n25", "n100")),
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        (["category=geometry"], [3, 4]),
        (["category=geometry,algebra", "count=25"], [1, 3]),
        (["category!=geometry"], [0, 1, 2]),
        (["count>=25"], [1, 2, 3, 4]),
        (["count<100", "count>0"], [1, 3]),
        (["state=failed"], [0, 1, 2, 3, 4]),
        (["model=mini", "corpus=mini"], [1, 2, 3, 4]),
    ],
)
def test_every_condition_must_hold(cells: list[Cell], filters: list[str], expected: list[int]) -> None:
    assert read_filters(filters, cells, STATES).cells(cells) == [cells[index] for index in expected]


def test_a_state_is_asked_for_apart(cells: list[Cell]) -> None:
    wanted = read_filters(["state=failed,done"], cells, STATES)
    assert [wanted.has_state(state) for state in STATES] == [True, True, False]
    assert read_filters([], cells, STATES).has_state("missing")


def test_what_the_study_does_not_have_is_said_all_at_once(cells: list[Cell]) -> None:
    with pytest.raises(UnknownFilter) as told:
        read_filters(["colour=red", "count=26", "stat=done", "geometry", "style>=r1", "count>=x"], cells, STATES)
    lines = str(told.value).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("'colour=red': not KEY=LEVEL with a key of: category, count, ")
    assert lines[1] == "'count=26': no cell has count 26; there are: 0, 25, 100; did you mean '25'?"
    assert "did you mean 'state'?" in lines[2]
    assert "'geometry': not KEY=LEVEL" in lines[3]
    assert "'style>=r1': >= compares count or seed with a whole number" in lines[4]


def test_a_cell_is_found_by_its_name(cells: list[Cell]) -> None:
    assert read_filters([f"cell={cells[2].name}"], cells, STATES).cells(cells) == [cells[2]]
