"""The updates of a run, whoever takes which part of them, padded or packed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.specs.cell import Cell
from ablation.training.batches import (
    MicroBatching,
    MicroBatchPlan,
    MicroBatchSampler,
    PackedBatching,
    PaddedBatching,
    Updates,
)

CellOf = Callable[..., Cell]


def padded(rows: int, _examples: int) -> MicroBatching:
    return PaddedBatching(rows)


def packed(rows: int, examples: int) -> MicroBatching:
    lengths = [10 + 7 * index % 31 for index in range(examples)]
    return PackedBatching(lengths, rows * max(lengths))


@pytest.mark.parametrize(("examples", "batch", "rows"), [(12, 8, 2), (13, 8, 1), (5, 8, 2), (16, 8, 2), (33, 32, 4)])
@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("batching", [padded, packed])
def test_the_shares_of_all_processes_are_the_update(
    batching: Callable[[int, int], MicroBatching], examples: int, batch: int, rows: int, ranks: int
) -> None:
    updates = Updates(examples, batch, count=2 * -(-examples // batch), seed=3)
    plan = MicroBatchPlan(updates, batching(rows, examples), ranks)
    for epoch in range(2):
        done = epoch * updates.per_epoch
        shares = [list(MicroBatchSampler(plan, rank, lambda done=done: done)) for rank in range(ranks)]  # type: ignore[misc]
        lengths = {len(share) for share in shares} | {len(MicroBatchSampler(plan, 0, lambda: 0))}
        assert len(lengths) == 1
        taken = [index for share in shares for micro in share for index in micro if index < examples]
        assert sorted(taken) == list(range(examples))
        for number, wanted in enumerate(updates.of_epoch(epoch)):
            parts = [share[number * plan.steps_per_update : (number + 1) * plan.steps_per_update] for share in shares]
            assert {i for part in parts for micro in part for i in micro} - {examples} == set(wanted)
            assert all(micro for part in parts for micro in part)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(1, 3), st.sampled_from([1, 2, 4]))
def test_a_packed_update_fills_rows_evenly_and_never_beyond_their_room(
    lengths: list[int], rows: int, ranks: int
) -> None:
    batching = PackedBatching(lengths, rows * max(lengths))
    made = batching.cut(range(len(lengths)), ranks)
    assert sorted(index for row in made for index in row) == list(range(len(lengths)))
    filled = [sum(lengths[index] for index in row) for row in made]
    assert max(filled) <= batching.room
    assert len(made) % ranks == 0
    # LPT: the fullest row exceeds the emptiest by no more than one example.
    assert max(filled) - min(filled) <= max(lengths)


def test_a_budget_is_epochs_updates_or_tokens(cell_of: CellOf) -> None:
    lengths = [10, 20, 30, 40, 50]

    def budget(**given: int | None) -> Updates:
        recipe = cell_of("count.size=5", "train.batch=2").train
        assert recipe
        return Updates.of(recipe.model_copy(update={"epochs": None, **given}), lengths, seed=1)

    assert budget(epochs=2).count == 6
    assert budget(updates=4).count == 4
    assert list(budget(updates=4)) == list(budget(epochs=2))[:4]
    for tokens in (1, 150, 151, 400):
        sizes = [size for _, size in budget(tokens=tokens).sizes(lengths)]
        assert sum(sizes) >= tokens > sum(sizes[:-1])
