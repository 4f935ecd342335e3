"""The rows of a table, one after another, for corpora and benchmarks alike: from a file, a folder of files, or the hub.

A local file is read from its own bytes. The cache of `datasets` is not used for it: that cache knows a file by its path and
mtime, so it would hand out the old rows of a file that was replaced with its mtime kept.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ablation.data.hub_rows import Use, hub_rows
from ablation.data.parquet_rows import PARQUET_MAGIC, parquet_rows
from ablation.data.shards import refuse_missing_shards
from ablation.data.source import local_path, source_name
from ablation.data.text_rows import csv_rows, json_rows
from ablation.errors import DataError
from ablation.specs import Source

TableRow = Mapping[str, Any]
Format = Literal["Parquet", "JSON", "CSV"]

_PACKINGS = ("", ".gz", ".zst")
# In the order in which a folder is searched: the first format that it holds is the table, the others are by-products.
ENDINGS: dict[Format, tuple[str, ...]] = {
    "Parquet": (".parquet",),
    "JSON": tuple(ending + packing for ending in (".jsonl", ".ndjson", ".json") for packing in _PACKINGS),
    "CSV": tuple(ending + packing for ending in (".csv", ".tsv") for packing in _PACKINGS),
}
_ALLOWED = "allowed: .parquet, .jsonl, .ndjson, .json, .csv, .tsv (but for .parquet also with .gz or .zst behind)"


def read_rows(source: Source, use: Use) -> Iterator[tuple[str, TableRow]]:
    """Yield each row with its name for messages, ``SOURCE, row NUMBER``. Numbers count from 0 over all files of the source.

    Values have the types that the format gives them. CSV has none, so that each value is a text, or None for an empty field.
    Only a few rows are in memory at a time, unless a JSON file is one list. Raises DataError naming file and row, also for a
    source without rows.
    """
    path, name = local_path(source), source_name(source)
    number = -1
    for number, row in enumerate(_file_rows(path, name) if path else hub_rows(source, use)):
        yield f"{name}, row {number}", row
    if number < 0:
        raise DataError(f"{name} has no rows")


def holds_only_texts(source: Source) -> bool:
    """Return True for CSV, where a number cannot be told from the text of its digits. Raises DataError."""
    path = local_path(source)
    return path is not None and _table(path)[0] == "CSV"


def _file_rows(path: Path, name: str) -> Iterator[TableRow]:
    table_format, files = _table(path)
    refuse_missing_shards([file.name for file in files], name)
    reader = {"Parquet": parquet_rows, "JSON": json_rows, "CSV": csv_rows}[table_format]
    for file in files:
        yield from reader(file)


def _table(path: Path) -> tuple[Format, list[Path]]:
    """Return the files of one format that make up the table, in the order of their paths."""
    if path.is_file():
        return _format_of(path), [path]
    inside = sorted(file for file in path.rglob("*") if ".cache" not in file.relative_to(path).parts)
    for table_format, endings in ENDINGS.items():
        if files := [file for file in inside if file.name.endswith(endings)]:
            return table_format, files
    raise DataError(f"{path} holds no table; {_ALLOWED}")


def _format_of(file: Path) -> Format:
    for table_format, endings in ENDINGS.items():
        if file.name.endswith(endings):
            return table_format
    # The hub's cache stores a file under its checksum, without an ending.
    with file.open("rb") as stream:
        if stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            return "Parquet"
    raise DataError(f"{file} is no table that can be read; {_ALLOWED}")
