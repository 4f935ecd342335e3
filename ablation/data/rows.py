"""The rows of a table on disk or on the hub. JSON lines are read here, since every command looks at the benchmark and must start
fast; everything else goes through `datasets`."""

import json
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path
from typing import Any

from ablation.data.source import local_path
from ablation.errors import DataError, first_line
from ablation.specs import Source

Row = Mapping[str, Any]
_KINDS = {".json": "json", ".parquet": "parquet", ".csv": "csv"}


def read_rows(source: Source) -> Iterator[tuple[str, Row]]:
    """Where each row stands (rows count from 0), and its columns. Raises DataError naming file and row."""
    path = local_path(source)
    rows = _json_lines(path, place(source)) if path and path.suffix == ".jsonl" else _dataset(source, path)
    for number, row in enumerate(rows):
        where = f"{place(source)}, row {number}"
        if not isinstance(row, Mapping):
            raise DataError(f"{where}: not an object with named columns")
        yield where, row


def place(source: Source) -> str:
    """What a reader knows the source by."""
    return str(source.path or source.hub)


def _json_lines(path: Path, name: str) -> Iterator[Any]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{name}: not a text file of JSON lines in UTF-8 ({error})") from error
    for number, line in enumerate(line for line in lines if line.strip()):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise DataError(f"{name}, row {number}: not JSON ({error})") from error


def _dataset(source: Source, path: Path | None) -> Iterator[Any]:
    import datasets

    try:
        if path is None:
            split = source.split or "test"
            yield from datasets.load_dataset(source.hub, name=source.subset, split=split, revision=source.revision)
            return
        files = sorted(path.glob("**/*.parquet")) if path.is_dir() else [path]
        kind = _KINDS.get(files[0].suffix) if files else None
        if kind is None:
            raise DataError(
                f"{place(source)}: give a .jsonl, .json, .csv or .parquet file, or a folder with .parquet files"
            )
        yield from datasets.load_dataset(kind, data_files=[escape(str(file)) for file in files], split="train")
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        reason = first_line(error)
        raise DataError(
            f"{place(source)} cannot be read ({reason}); check id, revision, split and the network, or give "
            "benchmark.source.path=FILE and benchmark.source.hub=null"
        ) from error
