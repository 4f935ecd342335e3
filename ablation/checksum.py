"""SHA-256 of files, remembered from one command to the next for as long as the file system says that they are the same."""

import json
import os
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ablation.durable import sha256
from ablation.spec import digest
from ablation.store import write_text_atomically

LARGE_BYTES = 1 << 24  # what is smaller is read in a few hundredths of a second
_SETTLED_NS = (
    10**10
)  # a file system's clock may tick in seconds: what changed just now could change again within the same tick
_Signature = tuple[int, int, int, int]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content. A large file that any command has read before is not read again.

    It is taken for the same by its size, mtime, ctime and inode. The ctime moves with every write and no program can put it
    back, so a changed content is noticed also where the mtime was restored. Notes are in ``$XDG_CACHE_HOME/ablation/sha256``,
    by default below ``~/.cache``; where nothing can be written, each command reads each file once. Raises OSError.
    """
    return _of_signature(path, _signature(path))


def notes() -> Path:
    """Where the checksums of large files are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation" / "sha256"


def _signature(path: Path) -> _Signature:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


@lru_cache(maxsize=4096)
def _of_signature(path: Path, signature: _Signature) -> str:
    size, *changed_ns, _ = signature
    if size < LARGE_BYTES:
        return sha256(path)
    place = str(path.absolute())
    note, told = notes() / f"{digest(place)}.json", {"path": place, "signature": list(signature)}
    with suppress(OSError, ValueError, TypeError, KeyError):  # no note yet, or a damaged one
        known = json.loads(note.read_text(encoding="utf-8"))
        if known == {**told, "sha256": known["sha256"]}:
            return str(known["sha256"])
    began_ns, found = time.time_ns(), sha256(path)
    if began_ns - max(changed_ns) > _SETTLED_NS and _signature(path) == signature:
        with suppress(OSError):  # a home that cannot be written costs time and no more
            note.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(note, json.dumps({**told, "sha256": found}))
    return found
