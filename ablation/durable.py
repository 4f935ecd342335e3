"""Bytes that have reached the disk, and their checksum."""

import hashlib
import os
import shutil
from pathlib import Path


def flush(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, would survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(file: Path, name: Path) -> None:
    """Give a file another name, or its content where the disk has no links. Raises FileNotFoundError when it is gone, OSError."""
    try:
        os.link(file, name)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, name)


def sha256(file: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
