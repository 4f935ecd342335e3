"""The store: one folder for each stage of work, addressed by what it is. A folder that exists is complete.

Work is written beside, by one run at a time in a folder of its own. It is flushed to disk and renamed in one step; a rename
never replaces a folder that is there. So a process may die between any two lines. It leaves a hidden folder, from which the next
run may go on and which no other process reads.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.errors import RecordError
from ablation.specs.address import Address
from ablation.specs.base import difference
from ablation.specs.vocabulary import StageName
from ablation.store.files import age_s, flush, matching_paths, sha256
from ablation.store.interrupt import Backoff, Interrupted, StopRequest
from ablation.store.lease import Lease, LeaseHolder, LeaseWatcher
from ablation.store.stage_run import StageRun, give_up_stage, open_stage_run, remove_workbench

SEAL = "stage.json"
# Abandoned folders are swept after this long: nobody copies or removes one folder for a week.
_ABANDONED_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Store:
    """All stages of work under `root` (``outputs/store``)."""

    root: Path

    def path(self, address: Address) -> Path:
        """Return the path of this stage's folder, whether it is there or not."""
        return self.root / address.folder

    def is_complete(self, stage: Address | str) -> bool:
        """Return True when the folder of this stage is there. A text is a folder as `Address.folder` names it.

        This is a quick look, for showing how things stand. It does not read the seal; `find` does.
        """
        folder = stage if isinstance(stage, str) else stage.folder
        return (self.root / folder).is_dir()

    def complete_folders(self, *stages: StageName) -> frozenset[str]:
        """Return the complete folders of these stages, as `Address.folder` names them. Use it when many cells ask.

        Each stage's folder is listed once. On a shared disk the listing may be some seconds old.
        """
        folders: set[str] = set()
        for stage in stages:
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / stage) as items:
                folders.update(f"{stage}/{item.name}" for item in items if item.name[0] != "." and item.is_dir())
        return frozenset(folders)

    def find(self, address: Address) -> Path | None:
        """Return the complete folder of this stage, or None. Raises RecordError when the folder there is of other work."""
        path = self.path(address)
        if not path.is_dir():
            return None
        seal = read_seal(path)
        # The name holds twelve digits of the digest; the seal holds the whole content.
        if seal["address"] != address.content:
            lines = difference(seal["address"], address.content)
            raise RecordError(
                f"{path} holds other work than its name says:\n  "
                + "\n  ".join(lines)
                + "\nMove this folder away and run again."
            )
        return path

    def make(self, address: Address, work: Callable[[StageRun], None], halt: StopRequest | None = None) -> Path:
        """Return the complete folder of this stage. `work` is done only when it is missing and no other process is at it.

        While another live process works on the same stage, this waits for its result. When another run publishes first, its
        folder is kept and ours is dropped. Raises Interrupted when `halt` was requested; what `work` kept stays for the next
        run.
        """
        halt = halt or StopRequest()
        watcher = LeaseWatcher(self._workbench(address))
        backoff = Backoff(halt)
        while (folder := self.find(address)) is None:
            halt.check()
            lease = watcher.take()
            if lease:
                try:
                    return self._run(address, work, lease, halt)
                finally:
                    lease.end()
            backoff.wait(f"{address.folder}: waiting for {_in_words(watcher.holder())}")
        return folder

    def _run(self, address: Address, work: Callable[[StageRun], None], lease: Lease, halt: StopRequest) -> Path:
        run = open_stage_run(lease, halt)
        try:
            with lease.beating(halt):
                # Another run may have published between our look and our lease.
                if self.find(address) is None:
                    work(run)
                    _seal(run.out, address)
            if self.find(address) is None and not lease.is_held():
                raise Interrupted(f"{address.folder}: another attempt has taken this stage over")
            published = self.find(address) or _publish(run.out, self.path(address)) or self._published_by_other(address)
        except BaseException as error:
            # Whoever took over may have published, and removed the workbench under our feet.
            if isinstance(error, FileNotFoundError) and (other_folder := self.find(address)):
                return other_folder
            give_up_stage(run, lease)
            raise
        remove_workbench(lease.workbench)
        return published

    def _workbench(self, address: Address) -> Path:
        """The hidden folder in which runs of this stage work."""
        final = self.path(address)
        return final.parent / f".work-{final.name}"

    def _published_by_other(self, address: Address) -> Path:
        folder = self.find(address)
        if folder is None:
            raise RecordError(
                f"{self.path(address)} could not be published and is not there; is the disk shared and healthy?"
            )
        return folder

    def sweep_abandoned(self) -> int:
        """Remove half-written and half-removed folders that no process has touched for a week. Return their number.

        What runs of a stage kept is not among them: its cells may wait in a queue for long.
        """
        now_s = time.time()
        folders = [*matching_paths(self.root, "*/.partial-*"), *matching_paths(self.root, "*/.gone-*")]
        abandoned = [folder for folder in folders if (age_s(folder, now_s) or 0) > _ABANDONED_S]
        for folder in abandoned:
            shutil.rmtree(folder, ignore_errors=True)
        return len(abandoned)


def read_seal(path: Path) -> dict[str, Any]:
    """Return the seal of a stage folder.

    ``address`` is the content of its address, ``files`` has size and SHA-256 of every file, ``dropped`` lists the files that were
    removed since. Raises RecordError when the seal is missing or damaged.
    """
    try:
        seal = json.loads((path / SEAL).read_text())
        return {
            "address": dict(seal["address"]),
            "files": dict(seal["files"]),
            "dropped": list(seal.get("dropped", [])),
        }
    except (FileNotFoundError, IsADirectoryError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path / SEAL} is missing or damaged ({error}); move {path} away and run again") from error
    except OSError as error:
        raise RecordError(f"{path / SEAL} cannot be read ({error.strerror}); mend that and run again") from error


def verify(path: Path) -> list[str]:
    """Return the faults of a stage folder's files against its seal, as sentences: missing, truncated or changed files."""
    faults, seal = [], read_seal(path)
    for name, (size, expected) in seal["files"].items():
        file = path / name
        if name in seal["dropped"]:
            continue
        if not file.is_file():
            faults.append(f"{file} is missing")
        elif file.stat().st_size != size or sha256(file) != expected:
            faults.append(f"{file} is not what was written")
    return faults


def _in_words(holder: LeaseHolder | None) -> str:
    if holder is None:
        return "another process"
    return f"Slurm job {holder.job}" if holder.job else f"process {holder.pid} on {holder.machine.split()[0]}"


def _seal(folder: Path, address: Address) -> None:
    sizes_and_digests = {
        item.relative_to(folder).as_posix(): (item.stat().st_size, sha256(item)) for item in _files(folder)
    }
    (folder / SEAL).write_text(
        json.dumps({"address": address.content, "files": sizes_and_digests}, indent=1, sort_keys=True)
    )
    for item in (*folder.rglob("*"), folder):  # the folders too, which hold the names
        flush(item)


def _files(folder: Path) -> Iterator[Path]:
    return (item for item in sorted(folder.rglob("*")) if item.is_file())


def _publish(folder: Path, final: Path) -> Path | None:
    """Rename into place. Return None when another process was first: a rename onto a folder with content fails."""
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return None
        raise
    for parent in final.parents[:3]:  # of the stages, the store and the outputs, each of which may be new
        flush(parent)
    return final
