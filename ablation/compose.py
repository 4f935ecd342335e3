"""Compose a grid of configurations at the cost of its levels, not of its cells.

One Hydra composition takes about 0.1 s. A level of a factor group changes its own leaves only, so each level is composed once
against a common origin, and a cell is the origin with its levels' changed leaves. Two levels that change the same leaf are not
independent: such a cell is composed in full.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablation.config import plain
from ablation.design import Point
from ablation.errors import ConfigProblems

Leaves = dict[tuple[str, ...], Any]
Compose = Callable[[Sequence[str]], Mapping[str, Any]]
_GONE = object()


def overrides_of(point: Point) -> list[str]:
    """The point as Hydra overrides. An integer `seed` sets all three seeds, and stands first so that one can be set apart."""
    seed = point.get("seed")
    seeds = [] if seed is None else [f"seed.{part}={seed}" for part in ("data", "train", "sample")]
    return [*seeds, *(f"{key}={level}" for key, level in point.items() if key != "seed")]


def compose_points(points: Sequence[Point], compose: Compose) -> list[dict[str, Any]]:
    """The resolved configuration of each point. Raises ConfigProblems with the problems of all levels.

    `compose` takes overrides and returns the unresolved content (see `unresolved`).
    """
    origin_point = points[0]
    problems: list[str] = []
    origin = _leaves(_composed(compose, origin_point, problems))
    changes: dict[tuple[str, str | None], Leaves] = {}
    for point in points:
        for key in (*point, *(key for key in origin_point if key not in point)):
            level = point.get(key)
            if (key, level) not in changes and level != origin_point.get(key):
                moved = {name: text for name, text in {**origin_point, key: level}.items() if text is not None}
                changes[key, level] = _difference(origin, _leaves(_composed(compose, moved, problems)))
    if problems:
        raise ConfigProblems(problems)
    return [_resolved(_merged(point, origin_point, origin, changes, compose)) for point in points]


def unresolved(config: Any) -> dict[str, Any]:
    """A composed configuration without Hydra's own node, interpolations kept."""
    content = OmegaConf.to_container(config, resolve=False)
    return {str(key): value for key, value in content.items() if key != "hydra"} if isinstance(content, dict) else {}


def _composed(compose: Compose, point: Point, problems: list[str]) -> Mapping[str, Any]:
    try:
        return compose(overrides_of(point))
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        problems.append(" ".join(str(cause).split("Config search path")[0].split()))
        return {}


def _merged(
    point: Point,
    origin_point: Point,
    origin: Leaves,
    changes: Mapping[tuple[str, str | None], Leaves],
    compose: Compose,
) -> Mapping[str, Any]:
    keys = [key for key in {**origin_point, **point} if point.get(key) != origin_point.get(key)]
    deltas = [changes[key, point.get(key)] for key in keys]
    touched = [leaf for delta in deltas for leaf in delta]
    if len(touched) != len(set(touched)):
        return compose(overrides_of(point))
    leaves = {**origin, **{leaf: value for delta in deltas for leaf, value in delta.items()}}
    return _nested({leaf: value for leaf, value in leaves.items() if value is not _GONE})


def _leaves(content: Mapping[str, Any], path: tuple[str, ...] = ()) -> Leaves:
    found: Leaves = {}
    for key, value in content.items():
        here = (*path, str(key))
        found.update(_leaves(value, here) if isinstance(value, Mapping) and value else {here: value})
    return found


def _difference(origin: Leaves, moved: Leaves) -> Leaves:
    changed = {leaf: value for leaf, value in moved.items() if leaf not in origin or origin[leaf] != value}
    return {**dict.fromkeys((leaf for leaf in origin if leaf not in moved), _GONE), **changed}


def _nested(leaves: Leaves) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for leaf, value in leaves.items():
        node = content
        for key in leaf[:-1]:
            node = node.setdefault(key, {})
        node[leaf[-1]] = value
    return content


def _resolved(content: Mapping[str, Any]) -> dict[str, Any]:
    return plain(OmegaConf.create(dict(content)))
