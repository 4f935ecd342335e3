"""Compose a grid of configurations at the cost of its levels, not of its cells.

One Hydra composition takes about 0.1 s. A level of a factor group changes its own leaves only, so each level is composed once
against a common origin, and a cell is the origin with its levels' changed leaves, then with its values (``train.epochs=3``) in
their places. Two levels that change the same leaf are not independent: such a cell is composed in full. Interpolations are
resolved in the cell, and once for all cells that agree in what they may read (see ablation/config/sweep/resolve.py). Cells with
equal levels share every section that no value of theirs goes to, as one object.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablation.config.sweep.design import Point
from ablation.config.sweep.resolve import Leaves, ResolvedTemplate, Resolver, leaves_of
from ablation.errors import ConfigProblems

Compose = Callable[[Sequence[str]], Mapping[str, Any]]
SEEDS = ("data", "train", "sample")
_GONE = object()


def overrides_of(point: Point) -> list[str]:
    """The point as Hydra overrides. An integer `seed` sets all three seeds, and stands first so that one can be set apart."""
    seed = point.get("seed")
    seeds = [] if seed is None else [f"seed.{part}={seed}" for part in SEEDS]
    return [*seeds, *(f"{key}={level}" for key, level in point.items() if key != "seed")]


def compose_points(points: Sequence[Point], compose: Compose) -> list[dict[str, Any]]:
    """The resolved configuration of each point. Raises ConfigProblems with the problems of all levels.

    `compose` takes overrides and returns the unresolved content (see `unresolved_content`).
    """
    problems: list[str] = []
    values = _Values()
    choices = [{key: level for key, level in point.items() if not values.knows(key, level)} for point in points]
    levels = _Levels(choices, compose, problems)
    if problems:
        raise ConfigProblems(problems)
    resolver = Resolver()
    shapes: dict[tuple[tuple[str, str], ...], ResolvedTemplate] = {}
    found = []
    for point, choice in zip(points, choices, strict=True):
        key = tuple(choice.items())
        if key not in shapes:
            shapes[key] = resolver.shape(levels.merged(choice))
        content = shapes[key].filled(values.of(point))
        if content is None:
            leaves = values.put(point, levels.merged(choice))
            content = resolver.resolved(leaves_of(_composed(compose, point, problems)) if leaves is None else leaves)
        found.append(content)
    if problems:
        raise ConfigProblems(problems)
    return found


class _Levels:
    """Each level of each group, as the leaves in which it differs from the origin."""

    def __init__(self, choices: Sequence[Point], compose: Compose, problems: list[str]) -> None:
        self._origin_point = choices[0]
        self._origin = leaves_of(_composed(compose, self._origin_point, problems))
        self._changes: dict[tuple[str, str | None], Leaves] = {}
        for choice in choices:
            for key in self._moved(choice):
                level = choice.get(key)
                if (key, level) not in self._changes:
                    moved = {
                        name: text for name, text in {**self._origin_point, key: level}.items() if text is not None
                    }
                    leaves = leaves_of(_composed(compose, moved, problems))
                    self._changes[key, level] = _difference(self._origin, leaves)

    def merged(self, choice: Point) -> Leaves | None:
        """The leaves of a choice of levels; None when two of them change the same leaf."""
        deltas = [self._changes[key, choice.get(key)] for key in self._moved(choice)]
        merged = dict(self._origin)
        for delta in deltas:
            merged.update(delta)
        if len(deltas) > 1 and len(set().union(*deltas)) < sum(map(len, deltas)):
            return None
        return {leaf: value for leaf, value in merged.items() if value is not _GONE}

    def _moved(self, choice: Point) -> list[str]:
        return [key for key in {**self._origin_point, **choice} if choice.get(key) != self._origin_point.get(key)]


class _Values:
    """Overrides of single values. Hydra applies them after the groups, each in its place, and so do we."""

    def __init__(self) -> None:
        self._parser = OverridesParser.create()
        self._parsed: dict[tuple[str, str], Any] = {}

    def knows(self, key: str, level: str) -> bool:
        """True for an override that puts one value, or a list, in the place of another."""
        if key == "seed":
            return True
        if "." not in key or not key[0].isalpha():
            return False
        return isinstance(self._value(key, level), (str, int, float, list, type(None)))

    def of(self, point: Point) -> Leaves:
        """The point's values, each in its place."""
        found: Leaves = {}
        for text in overrides_of(point):
            key, _, level = text.partition("=")
            if self.knows(key, level):
                found[tuple(key.split("."))] = self._value(key, level)
        return found

    def put(self, point: Point, leaves: Leaves | None) -> Leaves | None:
        """The leaves with the point's values; None when one of them has no place there, or its place has parts."""
        values = self.of(point)
        return {**leaves, **values} if leaves is not None and values.keys() <= leaves.keys() else None

    def _value(self, key: str, level: str) -> Any:
        if (key, level) not in self._parsed:
            try:
                self._parsed[key, level] = self._parser.parse_override(f"{key}={level}").value()
            except HydraException:  # composed in full, where Hydra says what is wrong
                self._parsed[key, level] = ...
        return self._parsed[key, level]


def unresolved_content(config: Any) -> dict[str, Any]:
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


def _difference(origin: Leaves, moved: Leaves) -> Leaves:
    changed = {leaf: value for leaf, value in moved.items() if leaf not in origin or origin[leaf] != value}
    return {**dict.fromkeys((leaf for leaf in origin if leaf not in moved), _GONE), **changed}
