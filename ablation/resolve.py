"""Resolve interpolations of many configurations that differ in few places, once for all that agree in what is read.

A configuration is held as leaves: a value for each path of keys. What an interpolation reads is told by its text as long as
every name in it is plain, as in ``${scale.length_band}``; then only the sections that are named are given to OmegaConf, and
configurations with equal sections share the result. Anything else is resolved with the whole configuration.
"""

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from ablation.config import plain

Path = tuple[str, ...]
Leaves = dict[Path, Any]
# Resolvers that read the configuration only where their text says so, or not at all.
_PLAIN_RESOLVERS = re.compile(r"\$\{oc\.(?:select|env):")
_MAY_HOLD_TEXT = (str, list, tuple, dict)
_NAME = re.compile(r"\$\{\.*([A-Za-z_]\w*)(?=[.\[,}])")


def leaves_of(content: Mapping[str, Any], path: Path = ()) -> Leaves:
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


class Resolver:
    """Resolves one configuration after the other and remembers what it has resolved."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

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


def _at(content: Mapping[str, Any], path: Path) -> Any:
    node: Any = content
    for key in path:
        node = node[key]
    return node
