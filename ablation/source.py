"""From a `Source` to files on disk and to the fingerprint that identifies its content."""

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ablation.cell import Cell
from ablation.errors import DataError
from ablation.science import Source

PACKAGE_SCHEME = "package:"
# What cannot change a number: documentation and logs beside weights.
_IRRELEVANT = {"README.md", "training_log.jsonl", ".gitattributes"}


def local_path(source: Source) -> Path | None:
    """The file or folder a source names, absolute, or None for a hub id. Raises DataError when it does not exist."""
    if source.path is None:
        return None
    if source.path.startswith(PACKAGE_SCHEME):
        package, _, inner = source.path.removeprefix(PACKAGE_SCHEME).partition("/")
        path = Path(str(files(package))) / inner
    else:
        path = Path(source.path).expanduser().resolve()
    if not path.exists():
        raise DataError(
            f"{source.path} does not exist (looked at {path}); give a path that does, or a hub id with hub= and revision="
        )
    return path


def pinned(source: Source) -> Source:
    """The same source with the SHA-256 of its content when it is local. A hub id is identified by its revision."""
    path = local_path(source)
    if path is None:
        return source
    found = fingerprint(path)
    if source.sha256 not in (None, found):
        raise DataError(
            f"{source.path} has SHA-256 {found[:12]}…, but {source.sha256[:12]}… is asked for: the content changed"
        )
    return source.model_copy(update={"sha256": found})


def pinned_cell(cell: Cell) -> Cell:
    """The cell with every source pinned, which completes its identity."""
    return cell.model_copy(
        update={
            "corpus": cell.corpus and cell.corpus.model_copy(update={"source": pinned(cell.corpus.source)}),
            "model": cell.model.model_copy(update={"source": pinned(cell.model.source)}),
            "benchmark": cell.benchmark.model_copy(
                update={"source": pinned(cell.benchmark.source), "tiers": pinned(cell.benchmark.tiers)}
            ),
        }
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the sorted (name, SHA-256) lines of a folder's files."""
    if path.is_file():
        return _file_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)
    inner = sorted(item for item in path.rglob("*") if item.is_file() and item.name not in _IRRELEVANT)
    lines = "".join(f"{item.relative_to(path).as_posix()} {fingerprint(item)}\n" for item in inner)
    return hashlib.sha256(lines.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001 size and time invalidate the cache
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
