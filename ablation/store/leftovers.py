"""Leftovers in a store beside the complete stages: workbenches, and folders half written or half removed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.store.files import matching_paths
from ablation.store.lease import LeaseWatcher
from ablation.store.store import Store

_WORK = ".work-"


@dataclass(frozen=True)
class Workbench:
    """The workbench of one stage: the hidden folder in which runs of it work, and which holds what they kept."""

    path: Path

    @property
    def stage_folder(self) -> str:
        """The stage's folder below the store, as its address names it."""
        return f"{self.path.parent.name}/{self.path.name.removeprefix(_WORK)}"

    @property
    def has_kept(self) -> bool:
        """True when a run left something from which the next one goes on."""
        return bool(matching_paths(self.path, "attempt-*/kept/*"))

    @property
    def is_dead(self) -> bool:
        """True when it has no holder, or its holder is provably gone. Where nothing can be proved it counts as alive."""
        watcher = LeaseWatcher(self.path)
        holder = watcher.holder()
        return holder is None or holder.is_gone(watcher.me) is True


def workbenches(store: Store) -> Iterator[Workbench]:
    """Yield every workbench of the store."""
    return (Workbench(path) for path in matching_paths(store.root, f"*/{_WORK}*") if path.is_dir())


def half_made_folders(store: Store) -> list[Path]:
    """Return the folders that no process will read: half written, or half removed."""
    return [*matching_paths(store.root, "*/.partial-*"), *matching_paths(store.root, "*/.gone-*")]
