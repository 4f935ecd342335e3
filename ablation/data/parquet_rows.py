"""The rows of Parquet files, and of any Arrow table, as plain Python values."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation.errors import DataError, first_line

BATCH_ROWS = 128
PARQUET_MAGIC = b"PAR1"
_BUFFER_BYTES = 1 << 20


def parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of one file, a few of them in memory at a time. Raises DataError naming the row.

    Not by `datasets`, which holds a whole row group in memory. Many programs write a file as a single one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        if not file.stat().st_size:
            return
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS):
                yield from plain_rows(batch, number, str(file))
                number += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{file} cannot be read ({first_line(error)}); check that it is whole, and of the kind that its name says"
        ) from error


def plain_rows(table: Any, first: int, name: str) -> list[dict[str, Any]]:
    """Return the rows of an Arrow table; `first` is the number of the first of them. Raises DataError naming row and column."""
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
    except UnicodeDecodeError:
        raise DataError(f"{name}, {_not_text(table, first)}: not text in UTF-8; repair or remove the row") from None
    # `datasets` hands out the text of each value where a column of JSON files has rows of several types.
    of_any_type = [field.name for field in table.schema if str(field.type) == "extension<arrow.json>"]
    for row in rows:
        row.update({column: json.loads(row[column]) for column in of_any_type if row[column] is not None})
    return rows


def _not_text(table: Any, first: int) -> str:
    """Return the first row and column whose text cannot be decoded."""
    for index in range(table.num_rows):
        for column in table.column_names:
            try:
                table[column][index].as_py()
            except UnicodeDecodeError:
                return f"row {first + index}, column {column}"
    return f"row {first} or after it"
