from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.design import Design, expand, override
from ablation.errors import ConfigProblems


def design(**content: Any) -> Design:
    empty = {"kind": "factorial", "vary": {}, "baseline": {}, "seeds": (0,), "base": False, "exclude": ()}
    return Design.model_validate({**empty, **content}, strict=False)


LEVELS = st.dictionaries(
    st.sampled_from(["category", "count", "length", "style"]),
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=4),
    min_size=1,
)


@given(LEVELS, st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_a_factorial_visits_every_combination_once(vary: dict[str, list[str]], seeds: list[int]) -> None:
    found = expand(design(vary=vary, seeds=seeds))
    wanted = {(*levels, str(seed)) for levels in product(*vary.values()) for seed in seeds}
    visited = [tuple(point[key] for key in (*vary, "seed")) for point in found.points]
    assert set(visited) == wanted
    assert len(visited) == len(wanted)


@given(LEVELS)
def test_one_at_a_time_changes_at_most_one_factor(vary: dict[str, list[str]]) -> None:
    baseline = {key: levels[0] for key, levels in vary.items()}
    for point in expand(design(kind="one_at_a_time", vary=vary, baseline=baseline)).points:
        assert sum(point[key] != baseline[key] for key in vary) <= 1


@given(LEVELS, st.sampled_from("abcde"))
def test_nothing_is_left_out_without_its_reason(vary: dict[str, list[str]], level: str) -> None:
    key = next(iter(vary))
    exclusion = {"when": {key: level}, "reason": "not in this corpus"}
    whole = expand(design(vary=vary, base=True))
    found = expand(design(vary=vary, base=True, exclude=[exclusion]))
    assert len(found.points) + len(found.left_out) == len(whole.points)
    assert all(out.point[key] == level and out.reason == "not in this corpus" for out in found.left_out)


def test_duplicates_are_merged_and_counted() -> None:
    found = expand(design(vary={"count": ["n25", "n25", "n50"]}))
    assert (len(found.points), found.merged) == (2, 1)


def test_the_base_model_comes_once_a_seed() -> None:
    found = expand(design(vary={"count": ["n25", "n50"]}, seeds=[0, 1], base=True))
    assert [point["count"] for point in found.points] == ["n0", "n0", "n25", "n50", "n25", "n50"]


@pytest.mark.parametrize(
    "content", [{"vary": {"count": []}}, {"seeds": []}, {"exclude": [{"when": {}, "reason": "all of them"}]}]
)
def test_an_empty_design_is_refused_with_the_cause(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigProblems, match=r"no level|no seed|all of them"):
        expand(design(**content))


def test_the_command_line_replaces_levels_and_adds_factors() -> None:
    whole = design(vary={"count": ["n25", "n50"], "style": ["r1", "gemini"]}, baseline={"category": "algebra"})
    changed = override(
        whole, {"count.size": ("75", "80"), "style": ("r1",), "train.epochs": ("1", "2"), "seed": ("4", "5")}
    )
    found = expand(changed)
    assert len(found.points) == 2 * 1 * 2 * 2
    assert {point["count.size"] for point in found.points} == {"75", "80"}
    assert not any("count" in point for point in found.points)


def test_a_key_below_a_factor_leaves_the_factor_alone() -> None:
    whole = design(vary={"length": ["short", "long"]}, base=True)
    found = expand(override(whole, {"length.band": ("0.2", "0.3")}))
    assert [(point["length"], point["length.band"]) for point in found.points[1:]] == [
        ("short", "0.2"), ("short", "0.3"), ("long", "0.2"), ("long", "0.3"),
    ]  # fmt: skip


def test_the_base_model_samples_with_the_seeds_of_the_others() -> None:
    found = expand(override(design(vary={"count": ["n25"]}, base=True), {"seed.sample": ("5", "6")}))
    assert [(point["count"], point["seed.sample"]) for point in found.points] == [
        ("n0", "5"), ("n0", "6"), ("n25", "5"), ("n25", "6"),
    ]  # fmt: skip


def test_a_wrong_seed_is_named() -> None:
    with pytest.raises(ConfigProblems, match="seed: given 'x'"):
        override(design(), {"seed": ("x",)})
