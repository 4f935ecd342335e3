"""The store: one folder for each stage of work, addressed by what it is. A folder that exists is complete.

Work is written beside, flushed to disk, and renamed in one step; a rename never replaces a folder that is there. So a
process may die between any two lines: what it leaves is a `.partial` folder that nobody reads.
"""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.cell import Address
from ablation.errors import RecordError
from ablation.spec import difference

SEAL = "stage.json"
# An abandoned .partial folder is swept after this long: no stage of a live process stays silent for a week.
_ABANDONED_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Store:
    """All stages under `root` (``outputs/store``)."""

    root: Path

    def path(self, address: Address) -> Path:
        """Where this stage's folder is or will be."""
        return self.root / address.folder

    def find(self, address: Address) -> Path | None:
        """The complete folder of this stage, or None. Raises RecordError when the folder there is of other work."""
        path = self.path(address)
        if not path.is_dir():
            return None
        seal = read_seal(path)
        lines = difference(seal["address"], address.content)
        if lines:
            raise RecordError(
                f"{path} holds other work than its name says:\n  "
                + "\n  ".join(lines)
                + "\nMove this folder away and run again."
            )
        return path

    def make(self, address: Address, work: Callable[[Path], None]) -> Path:
        """The complete folder of this stage, doing `work` in a fresh folder only when it is missing.

        When another process publishes the same stage first, its folder is kept and ours is dropped.
        """
        found = self.find(address)
        if found is not None:
            return found
        final = self.path(address)
        with partial_folder(final) as folder:
            work(folder)
            _seal(folder, address)
            return _publish(folder, final) or self._accept(address)

    def _accept(self, address: Address) -> Path:
        found = self.find(address)
        if found is None:
            raise RecordError(
                f"{self.path(address)} could not be published and is not there; is the disk shared and healthy?"
            )
        return found

    def sweep_abandoned(self) -> int:
        """Remove `.partial` folders that nobody has touched for a week; returns how many."""
        old = [item for item in self.root.glob("*/.partial-*") if time.time() - item.stat().st_mtime > _ABANDONED_S]
        for item in old:
            shutil.rmtree(item, ignore_errors=True)
        return len(old)


class partial_folder:  # noqa: N801 reads as a verb in a with statement
    """A fresh folder beside `final` that is removed on leaving, unless it was renamed away."""

    def __init__(self, final: Path) -> None:
        self.path = final.parent / f".partial-{final.name[:80]}-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> Path:
        self.path.mkdir(parents=True)
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def check_writable(outputs: Path) -> None:
    """Raise RecordError, naming folder and cause, when results cannot be written to `outputs`."""
    probe = outputs / f".probe-{uuid.uuid4().hex[:8]}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 4096)
    except OSError as error:
        raise RecordError(explain_os_error(error, outputs)) from error
    finally:
        probe.unlink(missing_ok=True) if outputs.is_dir() else None


def is_about_the_disk(error: OSError) -> bool:
    """True when the disk is full, over quota or read-only; libraries raise OSError for much else."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def explain_os_error(error: OSError, folder: Path) -> str:
    """A full or read-only disk in words: where, how much is free, what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.is_dir())).free
        return (
            f"disk full while writing {folder} ({free / 1e6:.0f} MB free); free some space, or set outputs=DIR, "
            "and run again: finished work is kept"
        )
    return f"cannot write to {folder}: {error.strerror or error}; set outputs=DIR to a folder you may write to"


def read_seal(path: Path) -> dict[str, Any]:
    """The seal of a stage folder: its address, and size and SHA-256 of every file. Raises RecordError when it is damaged."""
    try:
        seal = json.loads((path / SEAL).read_text())
        return {"address": dict(seal["address"]), "files": dict(seal["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path / SEAL} is missing or damaged ({error}); move {path} away and run again") from error


def verify(path: Path) -> list[str]:
    """What is wrong with a stage folder's files against its seal: missing, truncated or changed ones, as sentences."""
    found = []
    for name, (size, sha256) in read_seal(path)["files"].items():
        file = path / name
        if not file.is_file():
            found.append(f"{file} is missing")
        elif file.stat().st_size != size or _sha256(file) != sha256:
            found.append(f"{file} is not what was written")
    return found


def _seal(folder: Path, address: Address) -> None:
    sealed = {item.relative_to(folder).as_posix(): (item.stat().st_size, _sha256(item)) for item in _files(folder)}
    (folder / SEAL).write_text(json.dumps({"address": address.content, "files": sealed}, indent=1, sort_keys=True))
    for item in (*_files(folder), folder):
        _flush(item)


def _files(folder: Path) -> Iterator[Path]:
    return (item for item in sorted(folder.rglob("*")) if item.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(folder: Path, final: Path) -> Path | None:
    """Rename into place; None when another process was first (a rename onto a folder with content fails)."""
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return None
        raise
    _flush(final.parent)
    return final


def write_text_atomically(path: Path, text: str) -> None:
    """Replace one file of a view in one step: readers see the old or the new text, never half."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        beside.write_text(text, encoding="utf-8")
        _flush(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
