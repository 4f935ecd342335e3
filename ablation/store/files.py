"""Files and folders that other processes change meanwhile.

What goes while we look is passed over; any other error is raised. `Path.glob` and `Path.rglob` raise FileNotFoundError when a
folder goes between two of their steps (Python 3.11, 3.12), so the store lists folders by the functions of this module.
"""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from ablation.errors import RecordError

_GONE = (FileNotFoundError, NotADirectoryError)


def entries(folder: Path, pattern: str) -> list[Path]:
    """Return the entries of one folder whose names match, in no order. A folder that is not there has none."""
    try:
        return [entry for entry in folder.iterdir() if fnmatchcase(entry.name, pattern)]
    except _GONE:
        return []


def matching_paths(folder: Path, pattern: str) -> list[Path]:
    """Return what `Path.glob` would, sorted. The pattern has one name for each level below `folder`."""
    paths = [folder]
    for names in pattern.split("/"):
        paths = [entry for path in paths for entry in entries(path, names)]
    return sorted(paths)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file at any depth. Links to folders are not followed."""
    for parent, _, names in os.walk(folder, onerror=_raise_unless_gone):
        yield from (Path(parent, name) for name in names)


def bytes_below(folder: Path) -> int:
    """Return the size of all files at any depth, in bytes."""
    total = 0
    for path in files_below(folder):
        with suppress(*_GONE):
            total += path.lstat().st_size
    return total


def age_s(path: Path, now_s: float) -> float | None:
    """Return the seconds since `path` was last changed, or None when it is gone. `now_s` is of `time.time()`."""
    try:
        return now_s - path.stat().st_mtime
    except _GONE:
        return None


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, _GONE):
        raise error


class partial_folder:  # noqa: N801 reads as a verb in a with statement
    """A fresh folder beside `final`. It is removed on leaving, unless it was renamed away."""

    def __init__(self, final: Path) -> None:
        # 80 characters of the name: the longest name of a folder, 255 bytes, must hold prefix and digits too.
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
        # An empty file can be made on a disk that is full.
        probe.write_bytes(b"\0" * 4096)
    except OSError as error:
        raise RecordError(explain_os_error(error, outputs)) from error
    finally:
        with suppress(OSError):  # it is not there, or may not be looked for
            probe.unlink()


def is_about_the_disk(error: OSError) -> bool:
    """Return True when the disk is full, over quota or read-only. Libraries raise OSError for much else."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return a full or read-only disk in words: the folder, the free space, and the remedy."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        # `folder` may not be made yet: ask the nearest parent that is there.
        free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free
        return (
            f"disk full while writing {folder} ({free / 1e6:.0f} MB free); free some space, or set outputs=DIR, "
            "and run again: finished work is kept"
        )
    return f"cannot write to {folder}: {error.strerror or error}; set outputs=DIR to a folder you may write to"


def write_text_atomically(path: Path, text: str) -> None:
    """Replace a file in one step. Readers see the old text or the new text, never half of it."""
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        beside.write_text(text, encoding="utf-8")
        # Some file systems make a rename durable before the content: after a power cut the new name would hold nothing.
        flush(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, would survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(file: Path, name: Path) -> None:
    """Give a file another name, or copy its content where the disk has no links.

    Raises FileNotFoundError when the file is gone, and OSError.
    """
    try:
        os.link(file, name)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, name)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
