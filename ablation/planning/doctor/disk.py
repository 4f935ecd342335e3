"""The disk under the outputs: its room, and the promises on which the guarantee is built."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ablation.planning.doctor.check import Check, fail, ok, warn
from ablation.store.files import explain_os_error

_LITTLE_BYTES, _LITTLE_FILES, _SKEW_S = 5_000_000_000, 10_000, 2.0
_ELSEWHERE = "set outputs=DIR to a local disk, NFS or Lustre"


def checks(outputs: Path) -> Iterator[Check]:
    """Try each operation for real, in a folder below `outputs` that is removed again. Makes `outputs` where it is not there."""
    probe = outputs / f".doctor-{uuid.uuid4().hex[:8]}"
    try:
        probe.mkdir(parents=True)
    except OSError as error:
        yield fail("outputs", explain_os_error(error, outputs), _ELSEWHERE)
        return
    try:
        yield from (_room(outputs), _inodes(outputs))
        for name, work in _PROMISES.items():
            yield _kept(name, work, probe)
        yield _clock(probe)
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _room(outputs: Path) -> Check:
    free = shutil.disk_usage(outputs).free
    room = f"{free / 1e9:,.1f} GB free at {outputs.resolve()}"
    return (
        ok("disk", room)
        if free > _LITTLE_BYTES
        else warn("disk", room, "free some space; `ablation clean STUDY` helps")
    )


def _inodes(outputs: Path) -> Check:
    file_system = os.statvfs(outputs)
    if file_system.f_files == 0:  # some file systems have no such limit
        return ok("inodes", "not limited")
    room = f"{file_system.f_favail:,} files more"
    if file_system.f_favail > _LITTLE_FILES:
        return ok("inodes", room)
    return warn("inodes", room, "remove files, or ask for more: a cell needs about 60")


def _kept(name: str, work: Callable[[Path], bool], probe: Path) -> Check:
    try:
        kept = work(probe)
    except OSError as error:
        return fail(name, str(error.strerror or error), f"this disk cannot hold a store; {_ELSEWHERE}")
    return ok(name, "kept") if kept else fail(name, "broken", f"this disk cannot hold a store; {_ELSEWHERE}")


def _creates_once(probe: Path) -> bool:
    os.close(os.open(probe / "once", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.close(os.open(probe / "once", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return True
    return False


def _links_once(probe: Path) -> bool:
    first, second, name = probe / "first", probe / "second", probe / "linked"
    first.write_text("first")
    second.write_text("second")
    os.link(first, name)
    try:
        os.link(second, name)
    except FileExistsError:
        return name.read_text() == "first"
    return False


def _renames_onto_nothing(probe: Path) -> bool:
    """Return True when a folder goes in one step to a free name, and never onto a folder with content."""
    for folder in ("full", "other"):
        (probe / folder).mkdir()
        (probe / folder / "file").write_text(folder)
    (probe / "full").rename(probe / "published")
    try:
        (probe / "other").rename(probe / "published")
    except OSError as error:
        refused = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
        return refused and (probe / "published" / "file").read_text() == "full"
    return False


def _flushes(probe: Path) -> bool:
    file = probe / "flushed"
    file.write_text("content")
    for path in (file, probe):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True


def _clock(probe: Path) -> Check:
    before = time.time()
    (probe / "clock").write_text("")
    skew = (probe / "clock").stat().st_mtime - before
    difference = f"the disk's clock is {skew:+.1f} s from this machine's"
    if abs(skew) <= _SKEW_S:
        return ok("clock", difference)
    return warn("clock", difference, "no result depends on it; times in logs will disagree. Set both by NTP")


_PROMISES: dict[str, Callable[[Path], bool]] = {
    "exclusive creation": _creates_once,
    "link never replaces": _links_once,
    "rename never replaces": _renames_onto_nothing,
    "fsync": _flushes,
}
