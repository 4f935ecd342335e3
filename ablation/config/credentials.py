"""Keys and passwords: they are told from other values, and kept out of everything that is written.

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
# A value that a shell looks up, or that names a file, is no key: $(…), `…`, /run/secrets/x.
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
    """Return True for the name of an environment variable that holds a key. One that says where a key lies holds none.

    ``WANDB_API_KEY`` is one, ``KAGGLE_KEY_FILE`` is not.
    """
    return bool(_NAME.search(name)) and not _PLACE.search(name)


def refuse_keys(contents: Sequence[Mapping[str, Any]], environment: Mapping[str, str]) -> None:
    """Raise ConfigProblems when any text in these configurations holds a key. It says where and which, and never the value.

    Sections that several contents share as one object are searched once.
    """
    keys, seen = _values(environment), set[int]()
    held_keys = cache(lambda text: _held_keys(text, keys))  # a grid repeats its texts
    problems = [
        f"{masked(position, environment)}: holds {key}; {_ADVICE}"
        for content in contents
        for position, text in _texts(content, "", seen)
        for key in held_keys(text)
    ]
    if problems:
        raise ConfigProblems(problems)


def masked(text: str, environment: Mapping[str, str]) -> str:
    """Return the text with ``***`` in place of every key."""
    for value in sorted(_values(environment).values(), key=len, reverse=True):
        text = text.replace(value, MASK)
    for pattern in _KNOWN.values():
        text = pattern.sub(MASK, text)
    return text


def _held_keys(text: str, keys: Mapping[str, str]) -> list[str]:
    """Name the keys that a text holds: those of the environment, or else the first that is known by its form."""
    named = [f"the value of the environment variable {name}" for name, value in keys.items() if value in text]
    return named or [kind for kind, pattern in _KNOWN.items() if pattern.search(text)][:1]


def _values(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if is_key(name) and len(value) >= _SHORTEST}


def _texts(content: Any, position: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Yield every text in a nested content with its position, such as ``cluster.setup.0``; the names within it too."""
    if isinstance(content, str):
        yield position or "the configuration", content
        return
    # Cells share sections as one object: a grid of ten thousand cells has few texts.
    if not isinstance(content, (Mapping, list, tuple)) or id(content) in seen:
        return
    seen.add(id(content))
    within = f"{position}." if position else ""
    if isinstance(content, Mapping):
        for name, value in content.items():
            # A key that stands as a name must not be repeated in the position of its value.
            yield f"a name in {position or 'the configuration'}", str(name)
            yield from _texts(value, f"{within}{name}", seen)
        return
    for index, value in enumerate(content):
        yield from _texts(value, f"{within}{index}", seen)
