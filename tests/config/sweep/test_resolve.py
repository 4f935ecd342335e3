"""The resolver remembers values between configurations, and still gives what OmegaConf gives for each of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ablation.config.read import plain
from ablation.config.sweep.resolve import Resolver, leaves_of, nested
from ablation.errors import ConfigProblems

TEXTS = (
    "${b.x}", "${.y}", "${..b.x}", "at ${a.y} and ${b.y}", "${b}", "${oc.select:b.${c.name}}", "${oc.select:z.q,${a.y}}",
    "${oc.select:${c.which}}", "${${c.which}}", "${b[x]}", "${oc.env:HOME}",
    "${oc.dict.keys:b}", "\\${b.x}", "${oc.decode:'[1]'}", "${oc.select:'b.x'}", "${ b.x }", "plain: text",
)  # fmt: skip
CONTENTS = st.fixed_dictionaries(
    {
        "a": st.fixed_dictionaries({"x": st.sampled_from(TEXTS), "y": st.sampled_from([1, 1.0, True, "1", None])}),
        "b": st.fixed_dictionaries({"x": st.sampled_from([2, 2.5, "two"]), "y": st.lists(st.integers(0, 2), max_size=2)}),
        "c": st.fixed_dictionaries({"name": st.sampled_from(["x", "y"]), "which": st.sampled_from(["b.x", "a.y", "b.y"])}),
        "list": st.lists(st.sampled_from(TEXTS[:5]), max_size=2),
    }
)  # fmt: skip


@given(st.lists(CONTENTS, min_size=2, max_size=6))
def test_one_after_the_other_equals_each_alone(contents: list[dict[str, Any]]) -> None:
    resolver = Resolver()
    for content in contents:
        try:
            wanted: Any = plain(OmegaConf.create(content))
        except ConfigProblems as error:
            with pytest.raises(ConfigProblems) as refusal:
                resolver.resolve(leaves_of(content))
            assert refusal.value.problems == error.problems
        else:
            found = resolver.resolve(leaves_of(content))
            assert repr(found) == repr(wanted)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ConfigProblems, match="Missing mandatory value: x"):
        Resolver().resolve(leaves_of({"a": {"x": "???"}, "b": 1}))


@given(CONTENTS)
def test_leaves_hold_the_whole_content(content: dict[str, Any]) -> None:
    assert nested(leaves_of(content)) == content
