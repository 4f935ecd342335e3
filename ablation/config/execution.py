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
    """Everything that cannot change a number: where results go, what runs them, who watches, what stays on disk.

    `keep` none drops the weights of each cell once it is graded and no other cell waits for them; adapter drops whole weights
    and keeps adapters that were not merged.
    """

    study: Name
    outputs: str
    cluster: Cluster
    tracker: Tracker
    keep: Keep = "weights"
    hypothesis: str | None = None
    primary: Primary | None = None
    note: str | None = None
    scale: str

    @field_validator("study")
    @classmethod
    def _not_a_folder_of_ours(cls, study: str) -> str:
        if study in RESERVED:
            raise ValueError(f"{study!r} is a folder of the outputs themselves; choose another study=NAME")
        return study
