"""Where data and weights come from."""

from typing import ClassVar, Self

from pydantic import model_validator

from ablation.specs.base import Spec


class Source(Spec):
    """Where data or weights come from: exactly one of a local `path` (`package:NAME/FILE` for a shipped one) or a `hub` id.

    Identity is the content: `sha256` of a local path (see ablation/data/source.py), or hub id, subset, split and revision.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"path"})
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    subset: str | None = None
    split: str | None = None
    sha256: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(f"give exactly one of path and hub, not path={self.path!r} and hub={self.hub!r}")
        if self.hub is not None and self.revision is None:
            raise ValueError(
                f"hub={self.hub!r} needs a revision; pin a commit before numbers are kept, since a branch moves"
            )
        return self
