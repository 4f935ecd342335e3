"""A spec has one canonical form and one digest, whatever was computed of it and however it was copied."""

import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.specs.base import Spec, canonical_json, difference, digest, plain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Labelled(Spec):
    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: str
    size: int


def test_a_label_is_not_identity() -> None:
    assert digest(Labelled(name="a", size=1).canonical()) == digest(Labelled(name="b", size=1).canonical())
    assert digest(Labelled(name="a", size=1).canonical()) != digest(Labelled(name="a", size=2).canonical())


class Holder(Spec):
    part: Labelled
    sizes: tuple[int, ...] = ()


def test_what_is_handed_out_can_be_changed_without_changing_the_spec() -> None:
    holder = Holder(part=Labelled(name="a", size=1), sizes=(1, 2))
    before = digest(holder)
    content = holder.canonical()
    content["sizes"].append(3)
    content["part"]["size"] = 9
    holder.identity().clear()
    assert digest(holder) == before == digest(Holder(part=Labelled(name="b", size=1), sizes=(1, 2)))


def test_a_spec_is_equal_whatever_was_computed_of_it() -> None:
    hashed, fresh = Labelled(name="a", size=1), Labelled(name="a", size=1)
    assert hashed.canonical_text
    assert hashed == fresh
    assert hash(hashed) == hash(fresh)
    assert hashed != Labelled(name="a", size=2)


def test_a_changed_copy_has_a_canonical_form_of_its_own() -> None:
    spec = Labelled(name="a", size=1)
    assert spec.canonical() == {"size": 1}
    assert spec.model_copy(update={"size": 2}).canonical() == {"size": 2}


def test_specs_inside_a_content_stand_for_their_canonical_form() -> None:
    spec = Holder(part=Labelled(name="a", size=1))
    for content, meant in (
        ({"b": spec, "a": 1}, {"a": 1, "b": spec.canonical()}),
        ([spec, {"a": {"c": (spec,)}}], [spec.canonical(), {"a": {"c": [spec.canonical()]}}]),
    ):
        assert canonical_json(content) == canonical_json(meant)
        assert plain(content) == meant


@given(JSON)
def test_a_canonical_text_is_plain_json_with_sorted_keys(content: object) -> None:
    assert canonical_json(content) == json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


@pytest.mark.parametrize("content", [float("nan"), {"a": [float("inf")]}, {"a": object()}])
def test_what_json_does_not_know_has_no_canonical_text(content: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json(content)


def test_the_digest_is_pinned() -> None:
    """A changed canonical form would orphan every stored result: it must not happen by accident."""
    assert digest({"b": [1, 2.5, None], "a": "ä"}) == "324d0f98e8e7b390bd24bc556eff388b74bd640e9df12c341becba7b8658c628"


@given(JSON)
def test_equal_contents_have_no_difference(content: object) -> None:
    assert difference(content, content) == []
    assert canonical_json(content) == canonical_json(content)


@given(st.dictionaries(st.text(), st.integers()), st.text(), st.integers())
def test_every_changed_leaf_is_named(content: dict[str, int], key: str, value: int) -> None:
    changed = {**content, key: value}
    assert bool(difference(content, changed)) == (content != changed)
