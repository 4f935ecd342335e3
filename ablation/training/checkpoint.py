"""Checkpoints of a training run: sealing them, finding the newest that can be trusted, and removing old ones.

The trainer writes a folder ``checkpoint-<update>``; afterwards `seal` flushes it and writes ``COMPLETE.json`` with the size and
the SHA-256 of every file, last of all. So a folder that a dying process left half written is never taken for a checkpoint, and
one that was damaged later is passed over for the one before.
"""

import json
import logging
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablation.errors import RecordError
from ablation.specs.base import digest
from ablation.store.files import entries, flush, link_or_copy, sha256

_log = logging.getLogger(__name__)

COMPLETE_FILE = "COMPLETE.json"
# Two, so that a damaged one costs an interval and not the run.
KEPT = 2
_NAME = re.compile(r"checkpoint-(\d+)")
# A file that another machine wrote may take this long to be seen on a shared disk.
_VISIBLE_S = 60.0


@dataclass(frozen=True)
class CheckpointSource:
    """The training that wrote a checkpoint."""

    train: str
    """The digest of the train stage: recipe and examples."""
    zero: int = 0
    """The ZeRO stage by which the processes share the model's states."""
    processes: int = 1

    def misfit(self, other: "CheckpointSource") -> str | None:
        """Return why a run of `other` cannot go on from a checkpoint of this one, or None when it can."""
        if self.train != other.train:
            return "is of another recipe, or of other examples"
        if self.zero != other.zero or (self.zero and self.processes != other.processes):
            return (
                f"was written by {self.processes} processes at cluster.zero={self.zero}, and now {other.processes} train at "
                f"cluster.zero={other.zero}: only the same can go on from it"
            )
        return None


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint after `update` updates, which took `spent_s` seconds of training over all runs."""

    folder: Path
    update: int
    spent_s: float


def seal(
    folder: Path, update: int, spent_s: float, awaited: Sequence[str] = (), origin: CheckpointSource | None = None
) -> Checkpoint:
    """Make the folder that the trainer wrote a checkpoint, and return it.

    `awaited` are files that other machines write there. Raises RecordError when one of them does not appear.
    """
    # The trainer's arguments as a pickle: nothing here reads it, and nothing should.
    (folder / "training_args.bin").unlink(missing_ok=True)
    for name in awaited:
        _await(folder / name)
    names = sorted({item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file()}.union(awaited))
    files = {name: [(folder / name).stat().st_size, sha256(folder / name)] for name in names}
    for name in names:
        flush(folder / name)
    content = {"update": update, "spent_s": spent_s, "files": files, "origin": origin and asdict(origin)}
    complete = folder / COMPLETE_FILE
    complete.write_text(json.dumps({"content": content, "sha256": digest(content)}, indent=1))
    for path in (complete, folder, folder.parent):
        flush(path)
    return Checkpoint(folder, update, spent_s)


def newest_checkpoint(
    place: Path, earlier: Iterable[Path] = (), origin: CheckpointSource | None = None
) -> Checkpoint | None:
    """Return the checkpoint furthest on that is complete, undamaged and of this origin, or None.

    It lies below `place` then: a checkpoint of an `earlier` folder is linked there first, since a run that was taken for dead may
    still be clearing up its folder. The log names the checkpoint, and each one that is passed over, with the reason.
    """
    candidates = [*_folders([place]), *_folders(earlier)]
    for folder in sorted(candidates, key=_update, reverse=True):
        linked = place / folder.name
        try:
            if linked != folder:
                _link(folder, linked)
            checkpoint = _verified(linked, origin)
        except (RecordError, FileNotFoundError) as error:
            _log.warning("passed over: %s", error)
            shutil.rmtree(linked, ignore_errors=True)
            continue
        _log.info("training goes on from update %d, kept in %s", checkpoint.update, folder)
        return checkpoint
    return None


def remove_old_checkpoints(place: Path) -> None:
    """Remove all but the newest `KEPT` complete checkpoints below `place`, and those that were left half written."""
    complete = [item for item in _folders([place]) if (item / COMPLETE_FILE).exists()]
    stay = sorted(complete, key=_update)[-KEPT:]
    for folder in _folders([place]):
        if folder not in stay:
            shutil.rmtree(folder, ignore_errors=True)


def _folders(places: Iterable[Path]) -> Iterator[Path]:
    return (item for place in places for item in entries(place, "checkpoint-*") if _NAME.fullmatch(item.name))


def _update(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))


def _link(folder: Path, linked: Path) -> None:
    """Link a folder's files to another folder, or copy them where the disk has no links.

    Raises FileNotFoundError when they are gone.
    """
    shutil.rmtree(linked, ignore_errors=True)
    linked.mkdir(parents=True)
    for item in sorted(folder.rglob("*")):
        target = linked / item.relative_to(folder)
        target.mkdir() if item.is_dir() else link_or_copy(item, target)


def _verified(folder: Path, origin: CheckpointSource | None) -> Checkpoint:
    """Return the checkpoint in a folder. Raises RecordError when it is damaged, not complete, or of another origin."""
    content = _content(folder)
    written_by = content.get("origin")
    if written_by and origin and (misfit := CheckpointSource(**written_by).misfit(origin)):
        raise RecordError(f"checkpoint {folder} {misfit}")
    for name, (size, expected) in content["files"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size or sha256(file) != expected:
            raise RecordError(f"checkpoint {folder} is damaged: {name} is not what was written")
    return Checkpoint(folder, content["update"], content["spent_s"])


def _content(folder: Path) -> dict[str, Any]:
    """Return the content of a checkpoint's ``COMPLETE.json``. Raises RecordError when it is missing or damaged."""
    try:
        record = json.loads((folder / COMPLETE_FILE).read_bytes())
        content: dict[str, Any] = record["content"]
        is_whole = record["sha256"] == digest(content) and content["update"] == _update(folder)
    except FileNotFoundError as error:
        raise RecordError(f"checkpoint {folder} was not written to its end") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"checkpoint {folder} is damaged: {COMPLETE_FILE} cannot be read ({error})") from error
    if not is_whole:
        raise RecordError(f"checkpoint {folder} is damaged: {COMPLETE_FILE} is not what was written")
    return content


def _await(file: Path) -> None:
    deadline = time.monotonic() + _VISIBLE_S
    while not file.exists():
        if time.monotonic() > deadline:
            raise RecordError(
                f"{file} has not appeared for {_VISIBLE_S:.0f} s; is the disk shared by all nodes of the job?"
            )
        time.sleep(0.1)
