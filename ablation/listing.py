"""What is in folders that other processes change meanwhile: what goes while we look is passed over, any other error is raised.

`Path.glob` and `Path.rglob` raise FileNotFoundError when a folder goes between two of their steps (Python 3.11, 3.12).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

_GONE = (FileNotFoundError, NotADirectoryError)


def listed(folder: Path, pattern: str) -> list[Path]:
    """The entries of one folder whose names match, in no order; none where there is no such folder."""
    try:
        return [item for item in folder.iterdir() if fnmatchcase(item.name, pattern)]
    except _GONE:
        return []


def matching(folder: Path, pattern: str) -> list[Path]:
    """As `Path.glob`, sorted: a pattern of names, one for each level below `folder`."""
    places = [folder]
    for names in pattern.split("/"):
        places = [item for place in places for item in listed(place, names)]
    return sorted(places)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file at any depth, links to folders not followed."""
    for place, _, names in os.walk(folder, onerror=_raise_unless_gone):
        yield from (Path(place, name) for name in names)


def bytes_below(folder: Path) -> int:
    """What the files at any depth hold together."""
    total = 0
    for path in files_below(folder):
        with suppress(*_GONE):
            total += path.lstat().st_size
    return total


def age_s(path: Path, now_s: float) -> float | None:
    """Seconds since it was last changed, or None when it is gone. `now_s` is of `time.time()`."""
    try:
        return now_s - path.stat().st_mtime
    except _GONE:
        return None


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, _GONE):
        raise error
