from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from ablation.specs.base import Spec, canonical_json, difference, digest

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
