"""Which failed cells are worth another try, how often, and with what changed."""

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
    """One more try of a cell that failed of a class. `count` is which one it is for this class, from 1."""

    cell: str
    kind: str
    count: int
    exclude: str | None = None

    def applied_to(self, resources: Resources) -> Resources:
        """What the try asks for: more memory after running out of it, other nodes after one has failed."""
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
    """The tries that are due: failed cells of these classes that have had fewer than `cap` (None: any number) for that class."""
    had = Counter((cell, kind) for one in submissions for cell, kind in one.retries.items())
    found = []
    for state in states:
        kind = state.kind or ""
        if state.state not in ("failed", "lost") or kind not in kinds:
            continue
        count = had[state.name, kind]
        if cap is None or count < cap:
            found.append(Retry(state.name, kind, count + 1, state.host))
    return found
