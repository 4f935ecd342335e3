"""The meaning of every key of the configuration, for ``python launch.py --help``."""

import textwrap
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ablation.config.cluster import Local, Slurm
from ablation.config.execution import Execution
from ablation.config.messages import models_within
from ablation.specs import Benchmark, Source
from ablation.specs.cell import Cell

RESOLVER = "ablation_keys"
_WIDTH = 100
_KEY_WIDTH = 34
# Set by the design and the scale, not by a key of their own.
_NOT_KEYS = ("hypothesis", "primary", "note", "scale")
# The keys at which the specs are explained that several keys hold.
_HOMES: dict[type[BaseModel], str] = {Source: "corpus.source", Benchmark: "benchmark"}


def register_key_help() -> None:
    """Let the template of Hydra's help (conf/config.yaml) ask for the table with ``${ablation_keys:}``."""
    # Hydra fills its template by `string.Template`, to which a dollar sign is the begin of a name.
    OmegaConf.register_new_resolver(RESOLVER, lambda: key_table().replace("$", "$$"), replace=True)


def key_table() -> str:
    """Return a line for each key: its name, its meaning and its default, wrapped to 100 columns.

    ``train.batch                       Examples per optimizer update, whatever the number of processes.``
    """
    entries = [*_entries(Cell, ""), *_entries(Execution, "")]
    return "\n".join(line for key, meaning in entries for line in _wrapped(key, meaning))


def _entries(spec: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield key and meaning of each field, and after it those of the keys below it."""
    for name, field in spec.model_fields.items():
        key = f"{prefix}{name}"
        if key in _NOT_KEYS:
            continue
        sections = list(models_within(field.annotation)) if _is_section(field) else []
        # Several keys hold a spec of one kind. Its keys are explained at one of them.
        elsewhere = next((_HOMES[section] for section in sections if _HOMES.get(section, key) != key), None)
        yield key, _meaning(field) + (f" Its keys are those of {elsewhere}." if elsewhere else "")
        for section in [] if elsewhere else sections:
            if section in (Local, Slurm):
                yield "", "with cluster=local or debug:" if section is Local else "with cluster=slurm:"
            yield from _entries(section, f"{key}.")


def _is_section(field: FieldInfo) -> bool:
    """Return True where keys go on below a field; the items of a list have no keys on the command line."""
    return "tuple" not in str(field.annotation)


def _meaning(field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).replace("``", "`")
    return meaning if field.is_required() or field.default in (None, ()) else f"{meaning} (default {_plain(field)})"


def _plain(field: FieldInfo) -> Any:
    """Return a default as it is typed on a command line."""
    return str(field.default).lower() if isinstance(field.default, bool) else field.default


def _wrapped(key: str, meaning: str) -> list[str]:
    lines = textwrap.wrap(meaning, _WIDTH - _KEY_WIDTH - 2) or [""]
    # A long name has a line of its own, so that the meanings stay in one column.
    head = [key] if len(key) > _KEY_WIDTH else []
    first = "" if head else key
    return [
        *head,
        *(f"{first if number == 0 else '':<{_KEY_WIDTH}}  {line}".rstrip() for number, line in enumerate(lines)),
    ]
