"""The rows of a dataset on the hub, at one revision, through `datasets`."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ablation.data.parquet_rows import BATCH_ROWS, plain_rows
from ablation.data.shards import refuse_missing_shards
from ablation.data.source import source_name
from ablation.errors import DataError, first_line
from ablation.specs import Source

Use = Literal["benchmark", "corpus"]


def hub_rows(source: Source, use: Use) -> Iterator[dict[str, Any]]:
    """Yield the rows of a split: the source's own, else ``train`` of a corpus and ``test`` of a benchmark. Raises DataError.

    A corpus is streamed. A benchmark is kept whole in the cache of `datasets`, so that jobs without a network find it.
    """
    import datasets
    import pyarrow as pa
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield from _streamed(source) if use == "corpus" else _cached(source)
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        RuntimeError,
        OverflowError,
        pa.ArrowException,
        HTTPError,
        datasets.exceptions.DatasetGenerationError,
    ) as error:
        raise DataError(
            f"{source_name(source)} at revision {source.revision} cannot be read ({first_line(error)}); check id, revision, "
            f"subset, split and the network, or give {use}.source.path=FILE and {use}.source.hub=null"
        ) from error


def _cached(source: Source) -> Iterator[dict[str, Any]]:
    import datasets

    split = source.split or "test"
    yield from datasets.load_dataset(source.hub, name=source.subset, split=split, revision=source.revision)


def _streamed(source: Source) -> Iterator[dict[str, Any]]:
    import datasets

    folder, split = _downloaded(source), source.split or "train"
    revision = None if folder else source.revision
    dataset = datasets.load_dataset(
        folder or source.hub, name=source.subset, split=split, revision=revision, streaming=True
    )
    # A shard is read ahead to its end, so row groups are made shards: else a whole file of a large corpus is in memory.
    tables: Iterator[Any] = dataset.reshard().with_format("arrow").iter(batch_size=BATCH_ROWS)
    number = 0
    for table in tables:
        yield from plain_rows(table, number, source_name(source))
        number += table.num_rows


def _downloaded(source: Source) -> str | None:
    """Return the folder of a commit that was downloaded before, whole; with it, no hub is needed. Else None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(source.hub), repo_type="dataset", revision=source.revision, local_files_only=True
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    files = [file.relative_to(folder).as_posix() for file in Path(folder).rglob("*")]
    refuse_missing_shards(files, source_name(source))
    return str(folder)
