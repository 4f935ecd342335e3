"""Resolve interpolations of many configurations that differ in few places, once for all that agree in what is read.

A configuration is held as leaves: a value for each path of keys. What an interpolation reads is told by its text as long as
every name in it is plain, as in ``${scale.length_band}``; then only the sections that are named are given to OmegaConf, and
configurations with equal sections share the result. Anything else is resolved with the whole configuration.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from ablation.config.read import plain
from ablation.errors import ConfigProblems

LeafPath = tuple[str, ...]
Leaves = dict[LeafPath, Any]
# Resolvers that read the configuration only where their text says so, or not at all.
_PLAIN_RESOLVERS = re.compile(r"\$\{oc\.(?:select|env):")
_MAY_HOLD_TEXT = (str, list, tuple, dict)
_NAME = re.compile(r"\$\{\.*([A-Za-z_]\w*)(?=[.\[,}])")


def leaves_of(content: Mapping[str, Any], path: LeafPath = ()) -> Leaves:
    """The leaves of a nested content. An empty mapping is a leaf."""
    found: Leaves = {}
    for key, value in content.items():
        here = (*path, str(key))
        found.update(leaves_of(value, here) if isinstance(value, Mapping) and value else {here: value})
    return found


def nested(leaves: Leaves) -> dict[str, Any]:
    """The content of which these are the leaves."""
    content: dict[str, Any] = {}
    for leaf, value in leaves.items():
        node = content
        for key in leaf[:-1]:
            node = node.setdefault(key, {})
        node[leaf[-1]] = value
    return content


@dataclass(frozen=True)
class ResolvedTemplate:
    """A resolved content, and the `places` of its leaves in sections where a value may change and changes nothing else.

    `places` is None where nobody can tell. Contents filled from shapes of one resolver share equal sections, as one object each.
    """

    content: dict[str, Any]
    places: frozenset[LeafPath] | None
    share: Callable[[Any], Any]
    _filled: dict[str, Any] = field(default_factory=dict)

    def filled(self, values: Leaves) -> dict[str, Any] | None:
        """The content with these values; None when there is more to it than putting them into their places."""
        if self.places is None or not values.keys() <= self.places or any(map(_texts, values.values())):
            return None
        sections: dict[str, Leaves] = {}
        for path, value in values.items():
            sections.setdefault(path[0], {})[path] = value
        return {**self.content, **{name: self._section(name, own) for name, own in sections.items()}}

    def _section(self, name: str, values: Leaves) -> Any:
        told = f"{name} {values!r}"
        if told not in self._filled:
            section = self.content[name]
            for path, value in values.items():
                section = _with(section, path[1:], value)
            self._filled[told] = self.share(section)
        return self._filled[told]


class Resolver:
    """Resolves one configuration after the other and remembers what it has resolved."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._sections: dict[str, Any] = {}

    def shape(self, leaves: Leaves | None) -> ResolvedTemplate:
        """What configurations with these leaves, but for some values, have in common; None are leaves that are not known."""
        untold = ResolvedTemplate({}, None, self._shared)
        if leaves is None:
            return untold
        dynamic = {leaf: value for leaf, value in leaves.items() if isinstance(value, _MAY_HOLD_TEXT) and _texts(value)}
        sections = _sections_read(dynamic)
        try:
            content = self.resolved(leaves)
        except ConfigProblems:  # it may resolve with values in their places
            return untold
        if sections is None:
            return untold
        shared = {name: self._shared(section) for name, section in content.items()}
        return ResolvedTemplate(shared, frozenset(leaf for leaf in leaves if leaf[0] not in sections), self._shared)

    def _shared(self, section: Any) -> Any:
        return self._sections.setdefault(repr(section), section)

    def resolved(self, leaves: Leaves) -> dict[str, Any]:
        """The nested, resolved content. Raises ConfigProblems on an interpolation that does not resolve or a missing value."""
        dynamic = {leaf: value for leaf, value in leaves.items() if isinstance(value, _MAY_HOLD_TEXT) and _texts(value)}
        sections = _sections_read(dynamic)
        if sections is None:
            return plain(OmegaConf.create(nested(leaves)))
        part = {leaf: value for leaf, value in leaves.items() if leaf[0] in sections}
        told = repr(part)
        if told not in self._known:
            self._known[told] = plain(OmegaConf.create(nested(part)))
        return nested({**leaves, **{leaf: _at(self._known[told], leaf) for leaf in dynamic}})


def _with(content: Any, path: LeafPath, value: Any) -> Any:
    return {**content, path[0]: _with(content[path[0]], path[1:], value)} if path else value


def _texts(value: Any) -> list[str]:
    """The texts in a leaf that OmegaConf would not take as they stand: interpolations and missing values."""
    if isinstance(value, str):
        return [value] if "${" in value or value == "???" else []
    return [text for item in value for text in _texts(item)] if isinstance(value, (list, tuple, dict)) else []


def _sections_read(dynamic: Leaves) -> set[str] | None:
    """The sections that these leaves stand in or name; None when a name is made up or a resolver may read anything."""
    sections = {leaf[0] for leaf in dynamic}
    for text in (text for value in dynamic.values() for text in _texts(value)):
        bare = _PLAIN_RESOLVERS.sub("${", text)
        names = _NAME.findall(bare)
        if ":" in bare or len(names) < bare.count("${"):
            return None
        sections.update(names)
    return sections


def _at(content: Mapping[str, Any], path: LeafPath) -> Any:
    node: Any = content
    for key in path:
        node = node[key]
    return node
