"""Frozen, validated values with a canonical form: the ground that identity stands on.

The digest of a spec is the SHA-256 of its canonical JSON (sorted keys, no spaces, shortest float form). A class names
in `labels` the fields that are only names for people. They are left out, so renaming a thing never changes what it is.
A class names in `later` the fields that it got after results were stored. They are left out while they have their default,
so every key of before stays.
"""

import hashlib
import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Spec(BaseModel):
    """Base of all values that come out of a configuration: immutable, strictly typed, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    labels: ClassVar[frozenset[str]] = frozenset()
    """The fields that are only names for people, or say how something runs: they are no part of the identity."""
    later: ClassVar[frozenset[str]] = frozenset()
    """The fields that were added since store format 1: they are part of the identity unless they have their default."""
    _text: str | None = PrivateAttr(default=None)

    @property
    def canonical_text(self) -> str:
        """The canonical form as JSON text. It is made once for each object, and a text cannot be changed."""
        text = self._text
        if text is None:
            self._text = text = canonical_json(self.identity())
        return text

    def canonical(self) -> dict[str, Any]:
        """Return the canonical form as JSON content, read anew at each call: changing it changes nothing else."""
        content: dict[str, Any] = json.loads(self.canonical_text)
        return content

    def identity(self) -> dict[str, Any]:
        """Return the values that can change a number, by field: no labels, and no later field that has its default.

        So a new field leaves the keys of all earlier cells as they are. A class whose fields are not always in use leaves out
        more: `Length` leaves out the fields that the named level does not use.
        """
        fields = type(self).model_fields.items()
        values = {name: (getattr(self, name), field) for name, field in fields if name not in self.labels}
        return {
            name: value
            for name, (value, field) in values.items()
            if name not in self.later or value != field.get_default(call_default_factory=True)
        }

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy that forgets what was computed of the original. As pydantic's, it does not validate `update`."""
        copied = super().model_copy(update=update, deep=deep)
        for name, attribute in type(self).__private_attributes__.items():
            setattr(copied, name, attribute.get_default())
        return copied

    def __eq__(self, other: object) -> bool:
        """Compare the class and the fields. Pydantic would compare, too, what was computed of them so far."""
        if not isinstance(other, Spec):
            return NotImplemented
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Hash the fields."""
        return hash((*self.__dict__.values(),))


def _spec_as_content(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.canonical()
    raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_spec_as_content
)


def canonical_json(content: Any) -> str:
    """Return the one text of a content, on every platform and hash seed. Raises ValueError on NaN and infinities.

    Specs may stand in the content, inside mappings, tuples and lists; each stands for its canonical form.
    """
    if isinstance(content, Spec):
        return content.canonical_text
    if type(content) is int:
        return str(content)  # much quicker than to start the encoder
    if isinstance(content, dict):
        # Joined from pieces, so that the text of a spec is made once, however many contents it stands in.
        pieces = [f"{encode_basestring(str(name))}:{canonical_json(content[name])}" for name in sorted(content)]
        return f"{{{','.join(pieces)}}}"
    return _ENCODER.encode(content)


def plain(value: Any) -> Any:
    """Return a value as JSON-ready content, with specs in their canonical form."""
    return json.loads(canonical_json(value))


def digest(content: Any) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return digest_of_text(canonical_json(content))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text that is canonical JSON already."""
    return hashlib.sha256(text.encode()).hexdigest()


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
