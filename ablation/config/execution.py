"""Everything that cannot change a number: where results go, what runs them, what stays on disk."""

from typing import Literal

from pydantic import field_validator

from ablation.config.cluster import Cluster
from ablation.config.tracker import Tracker
from ablation.specs import Name
from ablation.specs.base import Spec
from ablation.specs.primary import Primary

# What stays of a cell's weights: all, an adapter that was not merged, nothing.
Keep = Literal["weights", "adapter", "none"]
# What else lies in the outputs folder.
RESERVED = ("store", "wandb")


class Execution(Spec):
    """Everything that cannot change a number: where results go, what runs the cells, who watches, what stays on disk."""

    study: Name
    """Name of the folder below the outputs that shows these cells."""
    outputs: str
    """Folder of all results."""
    cluster: Cluster
    """Place where the cells run."""
    tracker: Tracker
    """Weights & Biases."""
    keep: Keep = "weights"
    """Weights that stay on disk once no cell waits for them.

    ``none`` drops them all, ``adapter`` drops whole weights and keeps adapters that were not merged.
    """
    hypothesis: str | None = None
    """Expectation of the sweep, from the head of its file."""
    primary: Primary | None = None
    """Comparison that the sweep names before it is run."""
    note: str | None = None
    """Remark of the scale that the report shows."""
    scale: str
    """Name of the scale."""

    @field_validator("study")
    @classmethod
    def _not_a_folder_of_ours(cls, study: str) -> str:
        if study in RESERVED:
            raise ValueError(f"{study!r} is a folder of the outputs themselves; choose another study=NAME")
        return study
