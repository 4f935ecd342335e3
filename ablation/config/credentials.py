"""Keys and passwords: how they are told from other values, and kept out of everything that is written.

A configuration goes into ``plan.json``, manifests and sbatch files, which others can read and Slurm keeps as plain text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ablation.errors import ConfigProblems

# A shorter value would be found in every other word.
_SHORTEST = 8
MASK = "***"
_ADVICE = (
    "a configuration is written to disk and to Slurm, so it holds no key. W&B and the hub are asked from here alone, which "
    "reads the environment or ~/.netrc; where a job itself must log in, a line of cluster.setup can read a file on the node"
)
_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?(?=_|$)", re.IGNORECASE)
_PLACE = re.compile(r"_(?:PATH|FILE|DIR)$", re.IGNORECASE)
# A value that a shell looks up, or that names a file, is none: $(…), `…`, /run/secrets/x.
_VALUE = r"""["']?[^\s"'$`;/~.][^\s"'$`;]{7,}"""
_KNOWN = {
    "a key of the Hugging Face hub": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a key of W&B": re.compile(r"\bwandb_v\d_\w{20,}|\bwandb login\s+(?:--\S+\s+)*[0-9a-zA-Z_]{20,}"),
    "a key of OpenAI or Anthropic": re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"),
    "a key of GitHub": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{40,}"),
    "a key of AWS": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "a password in an address": re.compile(r"://[^/\s:@$]+:[^/\s@$]{4,}@"),
    "what is assigned to the name of a key": re.compile(
        rf"(?:[_-]key|apikey|token|secret|password)={_VALUE}|--[\w-]*(?:key|token|secret|password)[ =]+{_VALUE}",
        re.IGNORECASE,
    ),
}


def is_key(name: str) -> bool:
    """True for the name of an environment variable that holds a key; one that says where a key lies is none."""
    return bool(_NAME.search(name)) and not _PLACE.search(name)


def refuse_keys(contents: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> None:
    """Raise ConfigProblems when any text in these configurations holds a key; it says where and which, and never its value.

    Sections that several contents share as one object are looked at once.
    """
    own, seen = _values(environment), set[int]()
    found = cache(lambda text: _found(text, own))  # a grid repeats its texts
    problems = [
        f"{masked(place, environment)}: holds {what}; {_ADVICE}"
        for content in contents
        for place, text in _texts(content, "", seen)
        for what in found(text)
    ]
    if problems:
        raise ConfigProblems(problems)


def masked(text: str, environment: Mapping[str, str]) -> str:
    """The text with ``***`` in the place of every key."""
    for value in sorted(_values(environment).values(), key=len, reverse=True):
        text = text.replace(value, MASK)
    for pattern in _KNOWN.values():
        text = pattern.sub(MASK, text)
    return text


def _found(text: str, own: Mapping[str, str]) -> list[str]:
    """What keys a text holds: those of the environment by their names, else one that shows by its form."""
    named = [f"the value of the environment variable {name}" for name, value in own.items() if value in text]
    return named or [what for what, pattern in _KNOWN.items() if pattern.search(text)][:1]


def _values(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if is_key(name) and len(value) >= _SHORTEST}


def _texts(content: Any, place: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Every text in a nested content with its place, ``cluster.setup.0``; names of keys too, which a problem must not repeat."""
    if isinstance(content, str):
        yield place or "the configuration", content
        return
    if not isinstance(content, (Mapping, list, tuple)) or id(content) in seen:
        return
    seen.add(id(content))
    within = f"{place}." if place else ""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield f"a name in {place or 'the configuration'}", str(name)
            yield from _texts(value, f"{within}{name}", seen)
        return
    for index, value in enumerate(content):
        yield from _texts(value, f"{within}{index}", seen)
