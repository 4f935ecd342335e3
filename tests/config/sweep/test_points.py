"""A design visits each of its points once, and leaves none out without a reason."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.config.sweep.design import Design, exclusions_on_unset_keys
from ablation.config.sweep.narrow import narrow
from ablation.config.sweep.points import expand_design, remarks
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
    found = expand_design(design(vary=vary, seeds=seeds))
    wanted = {(*levels, str(seed)) for levels in product(*vary.values()) for seed in seeds}
    visited = [tuple(point[key] for key in (*vary, "seed")) for point in found.points]
    assert set(visited) == wanted
    assert len(visited) == len(wanted)


@given(LEVELS)
def test_one_at_a_time_changes_at_most_one_factor(vary: dict[str, list[str]]) -> None:
    baseline = {key: levels[0] for key, levels in vary.items()}
    for point in expand_design(design(kind="one_at_a_time", vary=vary, baseline=baseline)).points:
        assert sum(point[key] != baseline[key] for key in vary) <= 1


@given(LEVELS)
def test_one_at_a_time_visits_its_baseline_without_calling_it_a_duplicate(vary: dict[str, list[str]]) -> None:
    baseline = {key: levels[0] for key, levels in vary.items()}
    found = expand_design(
        design(kind="one_at_a_time", vary={key: sorted(set(levels)) for key, levels in vary.items()}, baseline=baseline)
    )
    assert {**baseline, "seed": "0"} in found.points
    assert found.merged == 0


@given(LEVELS, st.sampled_from("abcde"))
def test_nothing_is_left_out_without_its_reason(vary: dict[str, list[str]], level: str) -> None:
    key = next(iter(vary))
    exclusion = {"when": {key: level}, "reason": "not in this corpus"}
    whole = expand_design(design(vary=vary, base=True))
    found = expand_design(design(vary=vary, base=True, exclude=[exclusion]))
    assert len(found.points) + len(found.left_out) == len(whole.points)
    assert all(out.point[key] == level and out.reason == "not in this corpus" for out in found.left_out)


def test_duplicates_are_merged_and_counted() -> None:
    found = expand_design(design(vary={"count": ["n25", "n25", "n50"]}))
    assert (len(found.points), found.merged) == (2, 1)


def test_the_base_model_comes_once_a_seed() -> None:
    found = expand_design(design(vary={"count": ["n25", "n50"]}, seeds=[0, 1], base=True))
    assert [point["count"] for point in found.points] == ["n0", "n0", "n25", "n50", "n25", "n50"]


POINTS = st.lists(
    st.fixed_dictionaries({"count": st.sampled_from("abc"), "style": st.sampled_from("de")}), min_size=1, max_size=6
)


@given(POINTS, st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True))
def test_a_list_visits_its_points_and_no_others(points: list[dict[str, str]], seeds: list[int]) -> None:
    found = expand_design(design(kind="list", points=points, seeds=seeds))
    wanted = [{**point, "seed": str(seed)} for seed in seeds for point in points]
    assert [point for point in wanted if point not in found.points] == []
    assert len(found.points) + found.merged == len(wanted)


@given(LEVELS, POINTS)
def test_an_included_point_is_added_once_and_takes_nothing_away(
    vary: dict[str, list[str]], points: list[dict[str, str]]
) -> None:
    baseline = {key: levels[0] for key, levels in vary.items()}
    grid = expand_design(design(vary=vary, baseline=baseline))
    include = [{"point": point, "reason": "an anchor"} for point in points]
    found = expand_design(design(vary=vary, baseline=baseline, include=include))
    extra = {tuple(sorted({**baseline, **point, "seed": "0"}.items())) for point in points}
    assert found.points[: len(grid.points)] == grid.points
    assert {tuple(sorted(point.items())) for point in found.points} == extra | {
        tuple(sorted(point.items())) for point in grid.points
    }


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 50)), min_size=1, max_size=5), LEVELS)
def test_zipped_keys_move_together(pairs: list[tuple[str, int]], vary: dict[str, list[str]]) -> None:
    vary.pop("count", None)
    zipped = {"count": [level for level, _ in pairs], "train.epochs": [epochs for _, epochs in pairs]}
    group = {"keys": ["count", "train.epochs"], "reason": "equal examples"}
    found = expand_design(design(vary={**vary, **zipped}, zip=[group]))
    seen = [(point["count"], int(point["train.epochs"])) for point in found.points]
    assert set(seen) == set(pairs)
    others = {tuple(point[key] for key in vary) for point in found.points}
    assert others == set(product(*vary.values()))
    assert len(found.points) == len(set(pairs)) * len(others)


BUDGET: dict[str, Any] = {
    "vary": {"count": ["n25", "n50"], "train.epochs": [40, 20]},
    "zip": [{"keys": ["count", "train.epochs"], "reason": "equal examples"}],
    "include": [{"point": {"count": "n25", "train.epochs": 5}, "reason": "an anchor"}],
}


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [
        ({"count": ("n25",)}, [("n25", "40"), ("n25", "5")]),
        ({"count": ("n50",)}, [("n50", "20")]),
        ({"train.epochs": ("20", "40")}, [("n25", "40"), ("n50", "20")]),
        ({"count": ("n75",), "train.epochs": ("13",)}, [("n75", "13")]),
    ],
)
def test_the_command_line_never_breaks_a_pair(
    levels: dict[str, tuple[str, ...]], wanted: list[tuple[str, str]]
) -> None:
    found = expand_design(narrow(design(**BUDGET), levels))
    assert [(point["count"], point["train.epochs"]) for point in found.points] == wanted


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ({"count": ("n75",)}, "count=n75: count and train.epochs move together .* allowed: n25, n50; did you mean"),
        ({"count.size": ("75",)}, "give levels of each"),
        ({"count": ("n25", "n50"), "train.epochs": ("40",)}, "count has 2, train.epochs has 1"),
    ],
)
def test_a_broken_pair_is_refused(levels: dict[str, tuple[str, ...]], told: str) -> None:
    with pytest.raises(ConfigProblems, match=told):
        expand_design(narrow(design(**BUDGET), levels))


def test_a_further_factor_crosses_pairs_and_included_points() -> None:
    found = expand_design(narrow(design(**BUDGET), {"style": ("r1", "gemini"), "seed": ("4",)}))
    assert len(found.points) == 3 * 2
    assert {(point["style"], point["seed"]) for point in found.points} == {("r1", "4"), ("gemini", "4")}


def test_the_command_line_chooses_among_listed_points() -> None:
    listed = design(kind="list", points=[{"count": "n25", "style": "r1"}, {"count": "n50", "style": "gemini"}])
    found = expand_design(narrow(listed, {"count": ("n50",), "train.epochs": ("1", "2")}))
    assert [(point["style"], point["train.epochs"]) for point in found.points] == [("gemini", "1"), ("gemini", "2")]
    assert [out.reason for out in found.left_out] == ["the command line asks for count=n50"] * 2


def test_a_point_may_name_its_own_seed() -> None:
    again = {"point": {"count": "n25", "seed": 7}, "reason": "one replicate is enough to see it"}
    found = expand_design(design(vary={"count": ["n25"]}, seeds=[0, 1], include=[again], base=True))
    assert [(point["count"], point["seed"]) for point in found.points] == [
        ("n0", "0"), ("n0", "1"), ("n0", "7"), ("n25", "0"), ("n25", "1"), ("n25", "7"),
    ]  # fmt: skip


def test_what_is_special_about_a_design_is_told_with_its_reasons() -> None:
    exclusion = {"when": {"count": "n50", "train.epochs": 20}, "reason": "too dear"}
    whole = design(**BUDGET, exclude=[exclusion], seeds=[0, 0])
    assert remarks(whole, expand_design(whole)) == [
        "left out 1 cell: too dear",
        "moved together: count=n25 train.epochs=40; count=n50 train.epochs=20: equal examples",
        "added count=n25 train.epochs=5: an anchor",
        "3 cells merged with an equal one",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"vary": {"count": ["a"]}, "zip": [{"keys": ["count", "styel"], "reason": "x"}]}, "styel is not varied"),
        ({"vary": {"a.b": ["1"], "c.d": ["1", "2"]}, "zip": [{"keys": ["a.b", "c.d"], "reason": "x"}]}, "c.d has 2"),
        ({"vary": {"a.b": ["1"], "c.d": ["1"]}, "zip": [{"keys": ["a.b", "c.d", "a.b"], "reason": "x"}]}, "twice"),
        ({"vary": {"count": ["a"]}, "include": [{"point": {"style": "r1"}, "reason": "x"}]}, "needs a level for count"),
        ({"kind": "list", "points": [{"count": "a"}, {"style": "b"}]}, "count=a needs a level for style"),
        ({"kind": "list"}, "it has no point"),
        ({"points": [{"count": "a"}]}, "read with kind=list only"),
        ({"kind": "one_at_a_time", "vary": {"count": ["a"]}}, "sweep.baseline: needs a level for count"),
    ],
)  # fmt: skip
def test_an_incomplete_design_is_refused_with_what_is_missing(content: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigProblems, match=told):
        expand_design(design(**content))


def test_a_misspelt_exclusion_is_not_idle_in_silence() -> None:
    whole = design(vary={"style": ["r1"]}, exclude=[{"when": {"styel": "r1"}, "reason": "none there"}])
    assert "did you mean 'style'" in exclusions_on_unset_keys(whole)[0]


def test_a_grid_of_millions_is_refused_at_once_and_may_be_asked_for() -> None:
    vary = {key: list(map(str, range(100))) for key in ("category", "count", "length", "style")}
    with pytest.raises(ConfigProblems, match=r"100,000,000 points .* sweep.design.max_cells=100000000"):
        expand_design(design(vary=vary))
    assert len(expand_design(design(vary={"count": ["a", "b", "c"]}, max_cells=3)).points) == 3


@pytest.mark.parametrize(
    "content", [{"vary": {"count": []}}, {"seeds": []}, {"exclude": [{"when": {}, "reason": "all of them"}]}]
)
def test_an_empty_design_is_refused_with_the_cause(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigProblems, match=r"no level|no seed|all of them"):
        expand_design(design(**content))


def test_the_command_line_replaces_levels_and_adds_factors() -> None:
    whole = design(vary={"count": ["n25", "n50"], "style": ["r1", "gemini"]}, baseline={"category": "algebra"})
    changed = narrow(
        whole, {"count.size": ("75", "80"), "style": ("r1",), "train.epochs": ("1", "2"), "seed": ("4", "5")}
    )
    found = expand_design(changed)
    assert len(found.points) == 2 * 1 * 2 * 2
    assert {point["count.size"] for point in found.points} == {"75", "80"}
    assert not any("count" in point for point in found.points)


def test_a_key_below_a_factor_leaves_the_factor_alone() -> None:
    whole = design(vary={"length": ["short", "long"]}, base=True)
    found = expand_design(narrow(whole, {"length.band": ("0.2", "0.3")}))
    assert [(point["length"], point["length.band"]) for point in found.points[1:]] == [
        ("short", "0.2"), ("short", "0.3"), ("long", "0.2"), ("long", "0.3"),
    ]  # fmt: skip


def test_the_base_model_samples_with_the_seeds_of_the_others() -> None:
    found = expand_design(narrow(design(vary={"count": ["n25"]}, base=True), {"seed.sample": ("5", "6")}))
    assert [(point["count"], point["seed.sample"]) for point in found.points] == [
        ("n0", "5"), ("n0", "6"), ("n25", "5"), ("n25", "6"),
    ]  # fmt: skip


def test_two_ways_to_set_the_count_are_one_too_many() -> None:
    with pytest.raises(ConfigProblems, match=r"count and count\.size are one factor"):
        narrow(design(vary={"count": ["n25"]}), {"count": ("n25",), "count.size": ("30",)})


def test_a_wrong_seed_is_named() -> None:
    with pytest.raises(ConfigProblems, match="seed: given 'x'"):
        narrow(design(), {"seed": ("x",)})
