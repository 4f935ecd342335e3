"""Resolve interpolations of many configurations that differ in few places, once for all that agree in what is read.

A configuration is held as leaves: a value for each path of keys. The text of an interpolation tells which sections it reads, as
long as every name in it is plain, as in ``${scale.length_band}``. Then only these sections are given to OmegaConf, and
configurations with equal sections share the result. Any other configuration is resolved as a whole.
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
    """Return the leaves of a nested content. An empty mapping is a leaf.

    >>> leaves_of({"train": {"epochs": 3, "lora": {}}, "study": "cnls"})
    {('train', 'epochs'): 3, ('train', 'lora'): {}, ('study',): 'cnls'}
    """
    leaves: Leaves = {}
    for key, value in content.items():
        key_path = (*path, str(key))
        leaves.update(leaves_of(value, key_path) if isinstance(value, Mapping) and value else {key_path: value})
    return leaves


def nested(leaves: Leaves) -> dict[str, Any]:
    """Return the nested content that has these leaves."""
    content: dict[str, Any] = {}
    for path, value in leaves.items():
        node = content
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    return content


@dataclass(frozen=True)
class ResolvedTemplate:
    """A resolved content in which some values may be replaced without resolving it again.

    Contents made from templates of one resolver share equal sections, as one object each.
    """

    content: dict[str, Any]
    replaceable: frozenset[LeafPath] | None
    """The leaves that no interpolation reads. None where that cannot be told: then nothing may be replaced."""
    share: Callable[[Any], Any]
    """Returns the one object that stands for all sections equal to its argument."""
    _sections: dict[str, Any] = field(default_factory=dict)

    def replace(self, values: Leaves) -> dict[str, Any] | None:
        """Return the content with these values; None when a value could change more than its own leaf."""
        if self.replaceable is None or not values.keys() <= self.replaceable:
            return None
        if any(map(_unresolved_texts, values.values())):
            return None
        values_by_section: dict[str, Leaves] = {}
        for path, value in values.items():
            values_by_section.setdefault(path[0], {})[path] = value
        sections = {name: self._section(name, leaves) for name, leaves in values_by_section.items()}
        return {**self.content, **sections}

    def _section(self, name: str, values: Leaves) -> Any:
        # By text, since 1, 1.0 and True are equal as keys and are different values.
        memory_key = f"{name} {values!r}"
        if memory_key not in self._sections:
            section = self.content[name]
            for path, value in values.items():
                section = _replaced(section, path[1:], value)
            self._sections[memory_key] = self.share(section)
        return self._sections[memory_key]


class Resolver:
    """Resolves one configuration after the other and remembers what it has resolved.

    >>> resolver = Resolver()
    >>> resolver.resolve({("scale", "n"): 8, ("sample", "n"): "${scale.n}"})
    {'scale': {'n': 8}, 'sample': {'n': 8}}
    >>> resolver.resolve({("scale", "n"): 8, ("sample", "n"): "${scale.n}", ("study",): "cnls"})  # OmegaConf is not asked again
    {'scale': {'n': 8}, 'sample': {'n': 8}, 'study': 'cnls'}
    """

    def __init__(self) -> None:
        self._resolved_parts: dict[str, dict[str, Any]] = {}
        self._shared_sections: dict[str, Any] = {}

    def template(self, leaves: Leaves | None) -> ResolvedTemplate:
        """Return the template of configurations that have these leaves but for some values; None stands for unknown leaves."""
        nothing_replaceable = ResolvedTemplate({}, None, self._shared)
        if leaves is None:
            return nothing_replaceable
        sections = _sections_read(_leaves_to_resolve(leaves))
        try:
            content = self.resolve(leaves)
        except ConfigProblems:  # it may resolve once the values are in their places
            return nothing_replaceable
        if sections is None:
            return nothing_replaceable
        shared = {name: self._shared(section) for name, section in content.items()}
        return ResolvedTemplate(shared, frozenset(path for path in leaves if path[0] not in sections), self._shared)

    def _shared(self, section: Any) -> Any:
        return self._shared_sections.setdefault(repr(section), section)

    def resolve(self, leaves: Leaves) -> dict[str, Any]:
        """Return the nested, resolved content.

        Raises ConfigProblems on an interpolation that does not resolve, and on a missing value.
        """
        to_resolve = _leaves_to_resolve(leaves)
        sections = _sections_read(to_resolve)
        if sections is None:
            return plain(OmegaConf.create(nested(leaves)))
        part = {path: value for path, value in leaves.items() if path[0] in sections}
        memory_key = repr(part)
        if memory_key not in self._resolved_parts:
            self._resolved_parts[memory_key] = plain(OmegaConf.create(nested(part)))
        resolved = self._resolved_parts[memory_key]
        return nested({**leaves, **{path: _value_at(resolved, path) for path in to_resolve}})


def _replaced(content: Any, path: LeafPath, value: Any) -> Any:
    return {**content, path[0]: _replaced(content[path[0]], path[1:], value)} if path else value


def _leaves_to_resolve(leaves: Leaves) -> Leaves:
    return {
        path: value for path, value in leaves.items() if isinstance(value, _MAY_HOLD_TEXT) and _unresolved_texts(value)
    }


def _unresolved_texts(value: Any) -> list[str]:
    """Return the texts in a leaf that OmegaConf would replace or refuse: interpolations and missing values."""
    if isinstance(value, str):
        return [value] if "${" in value or value == "???" else []
    return (
        [text for item in value for text in _unresolved_texts(item)] if isinstance(value, (list, tuple, dict)) else []
    )


def _sections_read(leaves: Leaves) -> set[str] | None:
    """Return the sections that these leaves stand in or name; None when the text of one does not tell what it reads."""
    sections = {path[0] for path in leaves}
    for text in (text for value in leaves.values() for text in _unresolved_texts(value)):
        bare_text = _PLAIN_RESOLVERS.sub("${", text)
        names = _NAME.findall(bare_text)
        # A further colon is a resolver that may read anything; fewer names than interpolations is a name that is put together.
        if ":" in bare_text or len(names) < bare_text.count("${"):
            return None
        sections.update(names)
    return sections


def _value_at(content: Mapping[str, Any], path: LeafPath) -> Any:
    node: Any = content
    for key in path:
        node = node[key]
    return node
