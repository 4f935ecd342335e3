"""SHA-256 of files, remembered from one command to the next for as long as the file system says that they are the same."""

import hashlib
import json
import os
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ablation.store.files import sha256, write_text_atomically

# What is smaller is read in a few hundredths of a second.
LARGE_BYTES = 1 << 24
# A file system's clock may tick in seconds: what changed just now could change again within the same tick.
_SETTLED_NS = 10**10
_Signature = tuple[int, ...]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content. A large file that any command has read before is not read again.

    It is taken for the same by its size, mtime, ctime, inode and device. The ctime moves with every write and, on file systems
    that keep one, no program can put it back, so a changed content is noticed also where the mtime was restored; what changes
    below the file system is not. Notes are in ``$XDG_CACHE_HOME/ablation/sha256``, by default below ``~/.cache``; where nothing
    can be written, each command reads each file once. Raises OSError.
    """
    return _of_signature(path, _signature(path))


def notes_folder() -> Path:
    """Where the checksums of large files are kept. Raises RuntimeError for a user without a home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation" / "sha256"


def _signature(path: Path) -> _Signature:
    with path.open("rb") as stream:  # opened, since a network's file system looks at the server for that
        found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


@lru_cache(maxsize=4096)
def _of_signature(path: Path, signature: _Signature) -> str:
    size, modified_ns, changed_ns, *_ = signature
    if size < LARGE_BYTES:
        return sha256(path)
    place = os.fsencode(path.absolute())
    told = {"path": place.decode("utf-8", "backslashreplace"), "signature": list(signature)}
    name = f"{hashlib.sha256(place).hexdigest()}.json"
    with suppress(OSError, RuntimeError, ValueError, TypeError, KeyError):  # no note yet, a damaged one, or no home
        known = json.loads((notes_folder() / name).read_text(encoding="utf-8"))
        if known == {**told, "sha256": known["sha256"]}:
            return str(known["sha256"])
    began_ns, found = time.time_ns(), sha256(path)
    if began_ns - max(modified_ns, changed_ns) > _SETTLED_NS and _signature(path) == signature:
        with suppress(OSError, RuntimeError):  # a home that cannot be written costs time and no more
            notes_folder().mkdir(parents=True, exist_ok=True)
            write_text_atomically(notes_folder() / name, json.dumps({**told, "sha256": found}))
    return found
