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
_IRRELEVANT = {"README.md", "training_log.jsonl"}


def local_path(source: Source) -> Path | None:
    """The file or folder a source names, absolute, or None for a hub id.

    Raises DataError when it does not exist, or when it is not the content that was pinned: a number must not come from data
    that changed under its key.
    """
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
    found = fingerprint(path) if source.sha256 else None
    if source.sha256 and found != source.sha256:
        raise DataError(
            f"{path} has SHA-256 {str(found)[:12]}…, but {source.sha256[:12]}… was pinned: the content changed; "
            "restore it, or launch again to make cells of the new content"
        )
    return path


def pinned(source: Source) -> Source:
    """The same source with absolute path and SHA-256 when it is local. A hub id is identified by its revision."""
    path = local_path(source)
    if path is None:
        return source
    place = source.path if str(source.path).startswith(PACKAGE_SCHEME) else str(path)
    return source.model_copy(update={"path": place, "sha256": fingerprint(path)})


def pinned_cell(cell: Cell, known: dict[Source, Source] | None = None) -> Cell:
    """The cell with every source pinned, which completes its identity.

    `known` remembers sources from one cell to the next: a study's cells share few of them, and all of one command are to
    name the same content.
    """
    seen = {} if known is None else known

    def pin(source: Source) -> Source:
        if source not in seen:
            seen[source] = pinned(source)
        return seen[source]

    return cell.model_copy(
        update={
            "corpus": cell.corpus and cell.corpus.model_copy(update={"source": pin(cell.corpus.source)}),
            "model": cell.model.model_copy(update={"source": pin(cell.model.source)}),
            "benchmark": cell.benchmark.model_copy(
                update={
                    "source": pin(cell.benchmark.source),
                    "answers": cell.benchmark.answers and pin(cell.benchmark.answers),
                    "tiers": cell.benchmark.tiers and pin(cell.benchmark.tiers),
                }
            ),
        }
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the sorted (name, SHA-256) lines of a folder's files."""
    if path.is_file():
        return _file_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)
    inner = sorted((item.relative_to(path), item) for item in path.rglob("*") if item.is_file())
    relevant = [(name, item) for name, item in inner if name.name not in _IRRELEVANT and not _hidden(name)]
    lines = "".join(f"{name.as_posix()} {fingerprint(item)}\n" for name, item in relevant)
    return hashlib.sha256(lines.encode()).hexdigest()


def _hidden(name: Path) -> bool:
    """Download tools keep caches and time stamps in hidden folders."""
    return any(part.startswith(".") for part in name.parts)


@lru_cache(maxsize=1024)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001 size and time invalidate the cache
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
