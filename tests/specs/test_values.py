"""A mapping inside a spec cannot be changed, and is a value like any other: it compares, hashes, copies and pickles."""

import copy
import pickle
from collections.abc import Callable

import pytest

from ablation.specs.benchmark import Steps
from ablation.specs.values import FrozenDict

STEPS = Steps(column="answer", mark="<<", tiers={"one": (1, 1), "two": (2, 2)})


@pytest.mark.parametrize(
    "change",
    [
        lambda tiers: tiers.update(three=(3, 3)),
        lambda tiers: tiers.__setitem__("one", (1, 2)),
        lambda tiers: tiers.__ior__({"three": (3, 3)}),
        lambda tiers: tiers.pop("one"),
        lambda tiers: tiers.popitem(),
        lambda tiers: tiers.setdefault("three", (3, 3)),
        lambda tiers: tiers.clear(),
        lambda tiers: tiers.__delitem__("one"),
    ],
)
def test_a_mapping_of_a_spec_cannot_be_changed(change: Callable[[dict[str, tuple[int, int]]], object]) -> None:
    before = STEPS.canonical_text
    with pytest.raises(TypeError, match="cannot be changed"):
        change(STEPS.tiers)
    assert Steps.model_validate_json(STEPS.model_dump_json()).canonical_text == before


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda steps: pickle.loads(pickle.dumps(steps))])
def test_a_copy_is_equal_and_frozen_too(again: Callable[[Steps], Steps]) -> None:
    copied = again(STEPS)
    assert copied == STEPS and hash(copied) == hash(STEPS)
    assert isinstance(copied.tiers, FrozenDict)


def test_the_order_of_the_items_does_not_matter() -> None:
    assert hash(FrozenDict(a=1, b=2)) == hash(FrozenDict(b=2, a=1))
