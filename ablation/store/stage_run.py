"""One try at one stage: folders of its own, what earlier tries kept, and the request to stop."""

import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ablation.store.files import listed
from ablation.store.interrupt import StopRequest
from ablation.store.lease import Lease


@dataclass(frozen=True)
class StageRun:
    """What a stage gets to work with. Nobody else writes below `out` and `kept`.

    `out` becomes the stage's folder when the work returns. `kept` outlives an attempt that dies: what stands there, complete
    and verified, lets the next one go on. `earlier` are the `kept` folders of attempts before this one, newest first, to be
    read only. Long work calls ``halt.check()`` wherever everything worth keeping is on disk.
    """

    out: Path
    kept: Path
    earlier: tuple[Path, ...] = ()
    halt: StopRequest = field(default_factory=StopRequest)

    @property
    def stage_root(self) -> Path:
        """The folder of the store that holds the complete stages of this kind."""
        return self.out.parents[2]

    def drop_earlier(self) -> None:
        """Remove what earlier attempts kept, once this one has kept more."""
        for folder in self.earlier:
            shutil.rmtree(folder, ignore_errors=True)


def open_stage_run(lease: Lease, halt: StopRequest) -> StageRun:
    """Fresh folders for the holder of a lease. What earlier attempts had half written is removed, what they kept is not.

    It is moved away in one step first: an attempt that was taken for dead and is just about to publish publishes all or nothing.
    """
    earlier = sorted(listed(lease.bench, "attempt-*-*"), reverse=True)
    for folder in earlier:
        with suppress(OSError):  # there is none, or it was published in this moment
            (folder / "out").rename(folder / f"dropped-{lease.token:06d}")
        for dropped in listed(folder, "dropped-*"):
            shutil.rmtree(dropped, ignore_errors=True)
    own = lease.bench / f"attempt-{lease.token:06d}-{lease.holder.attempt}"
    attempt = StageRun(own / "out", own / "kept", tuple(folder / "kept" for folder in earlier), halt)
    for folder in (attempt.out, attempt.kept):
        folder.mkdir(parents=True)
    return attempt


def give_up_stage(attempt: StageRun, lease: Lease) -> None:
    """Give up a stage that is not complete: half of it is removed, what was kept stays, and the next attempt may begin."""
    shutil.rmtree(attempt.out, ignore_errors=True)
    with suppress(OSError):  # not empty: there is something to go on from
        attempt.kept.rmdir()
        attempt.out.parent.rmdir()
    lease.release()


def remove_workbench(bench: Path) -> None:
    """Remove the workbench of a stage that is published. It goes out of sight in one step, so nobody begins in half of it."""
    gone = bench.with_name(f".gone-{uuid.uuid4().hex[:12]}")
    with suppress(OSError):  # another attempt has cleared it
        bench.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
