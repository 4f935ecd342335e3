"""The address of one stage of work: its folder in the store, and the content that proves it is the right work."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ablation.specs.base import canonical_json, digest_of_text

# As many digits of a digest stand in the name of a folder.
_DIGITS = 12


@dataclass(frozen=True)
class Address:
    """The folder of one stage's work in the store, and the content that proves it is the right work."""

    stage: str
    slug: str
    text: str
    """The content as canonical JSON: the stage's spec and version, and the digests of its inputs."""
    digest: str
    """SHA-256 of the text."""

    @classmethod
    def of(cls, stage: str, slug: str, content: Mapping[str, Any]) -> Self:
        """Return the address of a content, in which specs may stand."""
        text = canonical_json(content)
        return cls(stage, slug, text, digest_of_text(text))

    @property
    def content(self) -> dict[str, Any]:
        """The content, read anew at each call: changing it changes no address."""
        content: dict[str, Any] = json.loads(self.text)
        return content

    @property
    def folder(self) -> str:
        """Path below the store: the readable name and the first twelve digits of the digest."""
        return f"{self.stage}/{self.slug}-{self.digest[:_DIGITS]}"


def digits_of(folder: str) -> str:
    """Return the first twelve digits of the digest of a stage, from its folder."""
    return folder[-_DIGITS:]
