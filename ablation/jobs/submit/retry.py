"""Decide which failed cells get another try, how often, and with which changed resources."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.config.cluster import Resources
from ablation.jobs.slurm.ledger import Submission
from ablation.jobs.status.error_kinds import RETRYABLE
from ablation.jobs.status.states import CellStatus

# Memory grows by this factor with every time that a cell has run out of it.
_MORE_MEMORY = 1.5
# Nodes in Slurm's notation; where a job never ran, accounting writes other words in their place.
_NODES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,\[\]-]{0,127}")


@dataclass(frozen=True)
class Retry:
    """One more try of a failed cell."""

    cell: str
    kind: str
    """The class of the failure."""
    count: int
    """The number of this try among those of the cell after this class, from 1."""
    exclude: str | None = None
    """The nodes where the cell ran last, in Slurm's notation."""

    def applied_to(self, resources: Resources) -> Resources:
        """Return the resources of the try: more memory after running out of it, other nodes after a node has failed."""
        if self.kind == "oom_host" and resources.mem_gb:
            more = math.ceil(resources.mem_gb * _MORE_MEMORY**self.count)
            return resources.model_copy(update={"mem_gb": more})
        if self.kind == "node_fail" and _NODES.fullmatch(self.exclude or ""):
            listed = [name for name in (resources.exclude, self.exclude) if name]
            return resources.model_copy(update={"exclude": ",".join(listed)})
        return resources


def due_retries(
    states: Sequence[CellStatus], submissions: Sequence[Submission], cap: int | None, kinds: Sequence[str] = RETRYABLE
) -> list[Retry]:
    """Return the tries of failed cells of these classes that have had fewer than `cap` for their class; None: without a cap."""
    tries = Counter((cell, kind) for submission in submissions for cell, kind in submission.retries.items())
    due = []
    for status in states:
        kind = status.kind or ""
        if not status.state.is_failure or kind not in kinds:
            continue
        count = tries[status.name, kind]
        if cap is None or count < cap:
            due.append(Retry(status.name, kind, count + 1, status.host))
    return due
