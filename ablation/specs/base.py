"""Frozen, validated values with a canonical form: the ground that identity stands on.

The digest of a spec is the SHA-256 of its canonical JSON (sorted keys, no spaces, shortest float form). A class names
in `labels` the fields that are only names for people; these are left out, so renaming a thing never changes what it is.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of all values that come out of a configuration: immutable, strictly typed, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    labels: ClassVar[frozenset[str]] = frozenset()

    def canonical(self) -> dict[str, Any]:
        """The JSON-ready content that can change a number: every field but the labels, specs inside specs included.

        Not to be changed: it is made once for each object.
        """
        found: dict[str, Any] | None = self.__dict__.get(_CANONICAL)
        if found is None:
            fields = type(self).model_fields
            found = {name: plain(getattr(self, name)) for name in fields if name not in self.labels}
            self.__dict__[_CANONICAL] = found
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that forgets what was computed of the original. As pydantic's, it does not validate `update`."""
        copied = super().model_copy(update=update, deep=deep)
        for computed in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[computed]
        return copied


# Where an object keeps its canonical form; no field can have this name.
_CANONICAL = "canonical form"


def plain(value: Any) -> Any:
    """A value as JSON-ready content: specs in their canonical form."""
    if isinstance(value, Spec):
        return value.canonical()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(content: Any) -> str:
    """One text for one content, on every platform and hash seed; NaN and infinities raise ValueError."""
    return _ENCODER.encode(content)


def digest(content: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def difference(recorded: Any, asked: Any, path: str = "") -> list[str]:
    """One line for each leaf in which two JSON contents differ, e.g. ``train.epochs: recorded 5, asked 3``."""
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        keys = sorted({*recorded, *asked})
        missing = object()
        return [
            line
            for key in keys
            for line in _differs(
                recorded.get(key, missing), asked.get(key, missing), f"{path}.{key}".lstrip("."), missing
            )
        ]
    return [] if recorded == asked else [f"{path}: recorded {recorded!r}, asked {asked!r}"]


def _differs(recorded: Any, asked: Any, path: str, missing: object) -> list[str]:
    if recorded is missing:
        return [f"{path}: not recorded, asked {asked!r}"]
    if asked is missing:
        return [f"{path}: recorded {recorded!r}, not asked"]
    return difference(recorded, asked, path)
