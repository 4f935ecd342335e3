"""One run of one stage: folders of its own, what earlier runs kept, and the request to stop."""

import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ablation.store.files import entries
from ablation.store.interrupt import StopRequest
from ablation.store.lease import Lease


@dataclass(frozen=True)
class StageRun:
    """One run of one stage, as the work of the stage sees it. No other process writes below `out` and `kept`."""

    out: Path
    """Becomes the stage's folder when the work returns."""
    kept: Path
    """Outlives a run that dies. What stands there, complete and verified, lets the next run go on."""
    earlier: tuple[Path, ...] = ()
    """The `kept` folders of the runs before this one, newest first. Read only."""
    halt: StopRequest = field(default_factory=StopRequest)
    """Long work calls ``halt.check()`` wherever everything worth keeping is on disk."""

    @property
    def stage_root(self) -> Path:
        """The folder of the store that holds the complete stages of this kind."""
        return self.out.parents[2]  # STORE/STAGE/.work-NAME/attempt-NUMBER-ID/out

    def drop_earlier(self) -> None:
        """Remove what earlier runs kept. Call it once this run has kept more."""
        for folder in self.earlier:
            shutil.rmtree(folder, ignore_errors=True)


def open_stage_run(lease: Lease, halt: StopRequest) -> StageRun:
    """Make fresh folders for the holder of a lease. What earlier runs kept stays; what they had half written is removed.

    It is moved away in one step first. So an earlier run that was taken for dead, and is about to publish, publishes all or
    nothing.
    """
    earlier = sorted(entries(lease.workbench, "attempt-*-*"), reverse=True)
    for folder in earlier:
        with suppress(OSError):  # there is none, or it was published in this moment
            (folder / "out").rename(folder / f"dropped-{lease.token:06d}")
        for dropped in entries(folder, "dropped-*"):
            shutil.rmtree(dropped, ignore_errors=True)
    own_folder = lease.workbench / f"attempt-{lease.token:06d}-{lease.holder.attempt}"
    run = StageRun(own_folder / "out", own_folder / "kept", tuple(folder / "kept" for folder in earlier), halt)
    for folder in (run.out, run.kept):
        folder.mkdir(parents=True)
    return run


def give_up_stage(run: StageRun, lease: Lease) -> None:
    """Leave a stage that is not complete. Its half is removed, what was kept stays, and the next run may begin."""
    shutil.rmtree(run.out, ignore_errors=True)
    with suppress(OSError):  # not empty: there is something to go on from
        run.kept.rmdir()
        run.out.parent.rmdir()
    lease.release()


def remove_workbench(workbench: Path) -> None:
    """Remove the workbench of a stage that is published. It goes out of sight in one step, so no run begins in half of it."""
    gone = workbench.with_name(f".gone-{uuid.uuid4().hex[:12]}")
    with suppress(OSError):  # another run has removed it
        workbench.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
