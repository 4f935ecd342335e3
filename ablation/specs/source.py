"""The origin of data and weights: a local path, or a repository of the hub."""

from typing import ClassVar, Self

from pydantic import model_validator

from ablation.specs.base import Spec


class Source(Spec):
    """The origin of data or weights: exactly one of a local `path` and a `hub` id.

    Identity is the content: `sha256` of a local path (see ablation/data/source.py), or hub id, subset, split and revision.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"path"})
    path: str | None = None
    """Local file or folder. ``package:NAME/FILE`` is one that a Python package ships."""
    hub: str | None = None
    """Id of a Hugging Face repository, such as ``math-ai/aime24``."""
    revision: str | None = None
    """Commit, tag or branch of the hub's repository. Needed with `hub`; the commit of a branch is looked up at launch."""
    subset: str | None = None
    """Subset (configuration) of a hub data set. Null is its only one."""
    split: str | None = None
    """Split of a hub data set. Null is ``train`` of a corpus and ``test`` of a benchmark."""
    sha256: str | None = None
    """SHA-256 of what lies at a local path. It is filled in at launch."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(f"give exactly one of path and hub, not path={self.path!r} and hub={self.hub!r}")
        if self.hub is not None and self.revision is None:
            raise ValueError(
                f"hub={self.hub!r} needs a revision; pin a commit before numbers are kept, since a branch moves"
            )
        return self
