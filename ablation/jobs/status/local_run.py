"""A launch that runs a study's cells itself, as others see it meanwhile: that it lives, and which cells its workers are at."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ablation.specs.cell import Cell
from ablation.store.interrupt import StopRequest
from ablation.store.lease import LeaseWatcher
from ablation.store.leftovers import workbenches
from ablation.store.store import Store

_RUNNING = ".running"


@contextmanager
def announce_local_run(study: Path) -> Iterator[None]:
    """Let it be seen that this process runs the study's cells. Of two that do so at once, the first speaks for both."""
    lease = LeaseWatcher(study / _RUNNING).take()
    if lease is None:
        yield
        return
    try:
        with lease.beating(StopRequest()):
            yield
    finally:
        lease.release()


def is_running_locally(study: Path) -> bool:
    """True while a process runs the study's cells itself, as far as can be told from here."""
    watcher = LeaseWatcher(study / _RUNNING)
    holder = watcher.holder()
    return holder is not None and holder.is_gone(watcher.me) is not True


def cells_at_work(cells: Sequence[Cell], store: Store) -> set[str]:
    """The names of those of these cells of which somebody works on a stage, shared ones included."""
    busy = {bench.stage_folder for bench in workbenches(store) if not bench.is_dead}
    return {cell.name for cell in cells if not busy.isdisjoint(cell.folders.values())}
