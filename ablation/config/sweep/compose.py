"""Compose the configurations of many points at the cost of their levels, not of their number.

One Hydra composition takes about 0.1 s. A level of a factor group changes its own leaves only. So each level is composed once,
beside a common origin, and a configuration is the origin with the changed leaves of its levels. Single values
(``train.epochs=3``) are put in their places afterwards. Two levels that change the same leaf are not independent: such a point
is composed in full. Interpolations are resolved in the whole configuration, once for all that agree in what is read (see
ablation/config/sweep/resolve.py). Configurations with equal levels share every section without a value of their own, as one
object.
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
from ablation.specs.vocabulary import SEEDS

Compose = Callable[[Sequence[str]], Mapping[str, Any]]
# In place of a value: the leaf is absent at this level.
_ABSENT = object()


def overrides_of(point: Point) -> list[str]:
    """Return the point as Hydra overrides.

    >>> overrides_of({"count": "n100", "seed": "3"})
    ['seed.data=3', 'seed.train=3', 'seed.sample=3', 'count=n100']

    An integer ``seed`` sets all three seeds. It stands first, so that a point can set one of them apart.
    """
    seed = point.get("seed")
    seeds = [] if seed is None else [f"seed.{name}={seed}" for name in SEEDS]
    return [*seeds, *(f"{key}={level}" for key, level in point.items() if key != "seed")]


def compose_points(points: Sequence[Point], compose: Compose) -> list[dict[str, Any]]:
    """Return the resolved configuration of each point.

    >>> def compose(overrides):
    ...     return {"train": {"epochs": 9 if "train=long" in overrides else 1}, "count": {"size": 25}, "name": "N${count.size}"}
    >>> for content in compose_points([{"train": "short"}, {"train": "long", "count.size": "50"}], compose):
    ...     print(content)
    {'train': {'epochs': 1}, 'count': {'size': 25}, 'name': 'N25'}
    {'train': {'epochs': 9}, 'count': {'size': 50}, 'name': 'N50'}

    `compose` takes overrides and returns the unresolved content (see `unresolved_content`). Raises ConfigProblems with the
    problems of all levels.
    """
    problems: list[str] = []
    values = _SingleValues()
    choices = [{key: level for key, level in point.items() if not values.handles(key, level)} for point in points]
    changes = _LevelChanges(choices, compose, problems)
    if problems:
        raise ConfigProblems(problems)
    resolver = Resolver()
    templates: dict[tuple[tuple[str, str], ...], ResolvedTemplate] = {}
    contents = []
    for point, choice in zip(points, choices, strict=True):
        choice_key = tuple(choice.items())
        if choice_key not in templates:
            templates[choice_key] = resolver.template(changes.apply(choice))
        content = templates[choice_key].replace(values.leaves(point))
        # An interpolation reads one of the values, so they are put in before it is resolved.
        if content is None and (leaves := values.put(point, changes.apply(choice))) is not None:
            content = resolver.resolve(leaves)
        # Two levels change one leaf, or a value has no place yet: only Hydra knows the outcome.
        if content is None:
            content = resolver.resolve(leaves_of(_compose_or_note(compose, point, problems)))
        contents.append(content)
    if problems:
        raise ConfigProblems(problems)
    return contents


class _LevelChanges:
    """The leaves that each level changes, compared with the origin: the composition of the first point's levels."""

    def __init__(self, choices: Sequence[Point], compose: Compose, problems: list[str]) -> None:
        self._origin_point = choices[0]
        self._origin = leaves_of(_compose_or_note(compose, self._origin_point, problems))
        self._changes: dict[tuple[str, str | None], Leaves] = {}
        for choice in choices:
            for key in self._changed_keys(choice):
                level = choice.get(key)
                if (key, level) not in self._changes:
                    # A point without this key leaves it to the configuration.
                    levels = {**self._origin_point, key: level}
                    changed_point = {name: text for name, text in levels.items() if text is not None}
                    leaves = leaves_of(_compose_or_note(compose, changed_point, problems))
                    self._changes[key, level] = _difference(self._origin, leaves)

    def apply(self, choice: Point) -> Leaves | None:
        """Return the leaves of a choice of levels; None when two of them change the same leaf."""
        changes = [self._changes[key, choice.get(key)] for key in self._changed_keys(choice)]
        merged = dict(self._origin)
        for change in changes:
            merged.update(change)
        if len(changes) > 1 and len(set().union(*changes)) < sum(map(len, changes)):
            return None
        return {path: value for path, value in merged.items() if value is not _ABSENT}

    def _changed_keys(self, choice: Point) -> list[str]:
        return [key for key in {**self._origin_point, **choice} if choice.get(key) != self._origin_point.get(key)]


class _SingleValues:
    """Overrides of single values. Hydra applies them after the groups, each in its place, and so does this class."""

    def __init__(self) -> None:
        self._parser = OverridesParser.create()
        self._parsed: dict[tuple[str, str], Any] = {}

    def handles(self, key: str, level: str) -> bool:
        """True for an override that puts one value, or a list, in the place of another."""
        if key == "seed":
            return True
        if "." not in key or not key[0].isalpha():
            return False
        return isinstance(self._value(key, level), (str, int, float, list, type(None)))

    def leaves(self, point: Point) -> Leaves:
        """Return the values of the point by their paths."""
        values: Leaves = {}
        for text in overrides_of(point):
            key, _, level = text.partition("=")
            if self.handles(key, level):
                values[tuple(key.split("."))] = self._value(key, level)
        return values

    def put(self, point: Point, leaves: Leaves | None) -> Leaves | None:
        """Return the leaves with the point's values; None when the path of a value is no leaf there."""
        values = self.leaves(point)
        return {**leaves, **values} if leaves is not None and values.keys() <= leaves.keys() else None

    def _value(self, key: str, level: str) -> Any:
        if (key, level) not in self._parsed:
            try:
                self._parsed[key, level] = self._parser.parse_override(f"{key}={level}").value()
            except HydraException:  # composed in full, where Hydra says what is wrong
                self._parsed[key, level] = ...
        return self._parsed[key, level]


def unresolved_content(config: Any) -> dict[str, Any]:
    """Return a composed configuration without Hydra's own node, interpolations kept."""
    content = OmegaConf.to_container(config, resolve=False)
    return {str(key): value for key, value in content.items() if key != "hydra"} if isinstance(content, dict) else {}


def _compose_or_note(compose: Compose, point: Point, problems: list[str]) -> Mapping[str, Any]:
    """Return what the point composes to; on an error, add its sentence to `problems` and return nothing."""
    try:
        return compose(overrides_of(point))
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        # Hydra appends the folders that it searched, on lines of their own.
        problems.append(" ".join(str(cause).split("Config search path")[0].split()))
        return {}


def _difference(origin: Leaves, leaves: Leaves) -> Leaves:
    changed = {path: value for path, value in leaves.items() if path not in origin or origin[path] != value}
    return {**dict.fromkeys((path for path in origin if path not in leaves), _ABSENT), **changed}
