"""What attempts leave behind in a store beside the complete stages: workbenches, and folders half written or half removed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.store.files import matching
from ablation.store.lease import LeaseWatcher
from ablation.store.store import Store

_WORK = ".work-"


@dataclass(frozen=True)
class Workbench:
    """The workbench of one stage: where attempts at it work, and what they kept."""

    path: Path

    @property
    def stage_folder(self) -> str:
        """The stage's folder below the store, as its address names it."""
        return f"{self.path.parent.name}/{self.path.name.removeprefix(_WORK)}"

    @property
    def has_kept(self) -> bool:
        """True when an attempt left something from which the next one goes on."""
        return bool(matching(self.path, "attempt-*/kept/*"))

    @property
    def is_dead(self) -> bool:
        """True when nobody holds it, or its holder is provably gone. Where nothing can be proved it counts as alive."""
        watcher = LeaseWatcher(self.path)
        holder = watcher.holder()
        return holder is None or holder.is_gone(watcher.me) is True


def workbenches(store: Store) -> Iterator[Workbench]:
    """Every workbench of the store."""
    return (Workbench(path) for path in matching(store.root, f"*/{_WORK}*") if path.is_dir())


def half_made_folders(store: Store) -> list[Path]:
    """Folders that nobody will read: half written, or on their way out."""
    return [*matching(store.root, "*/.partial-*"), *matching(store.root, "*/.gone-*")]
