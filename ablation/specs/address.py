"""The address of one stage of work: where it lies in the store, and the content that proves it is the right work."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablation.specs.base import digest

# Of a digest, as many stand in the name of a folder.
_DIGITS = 12


@dataclass(frozen=True)
class Address:
    """Where one stage's work lives in the store, and the content that proves it is the right work."""

    stage: str
    slug: str
    content: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return digest(self.content)

    @property
    def folder(self) -> str:
        """Path below the store: readable name and the first twelve digits of the digest."""
        return f"{self.stage}/{self.slug}-{self.digest[:_DIGITS]}"


def digits_of(folder: str) -> str:
    """The first twelve digits of the digest of a stage, from its folder."""
    return folder[-_DIGITS:]
