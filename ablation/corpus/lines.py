"""The rows of a file of JSON lines, each as it was written.

Read line by line and not column by column: where one row has another type than the rest, a reader of columns hands out the JSON
text of all of them, and one that guesses types takes texts that look like dates for dates.
"""

import gzip
import json
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from ablation.benchmark.rows import Row
from ablation.errors import DataError

ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")


def json_rows(path: Path) -> Iterator[Row]:
    """Each row, empty lines left out; one at a time unless the file is one list. Raises DataError naming the row, OSError."""
    with _opened(path) as stream:
        found = _listed(stream, path) if stream.peek(1)[:1] == b"[" else _lines(stream, path)
        for number, row in enumerate(found):
            if not isinstance(row, dict):
                raise DataError(f"{path}, row {number}: not an object with named columns")
            yield row


def _opened(path: Path) -> BufferedReader:
    return cast("BufferedReader", gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def _listed(stream: BufferedReader, path: Path) -> Iterator[object]:
    yield from cast("list[object]", _parsed(stream.read(), str(path)))


def _lines(stream: BufferedReader, path: Path) -> Iterator[object]:
    for number, line in enumerate(line for line in stream if line.strip()):
        yield _parsed(line, f"{path}, row {number}")


def _parsed(text: bytes, where: str) -> object:
    try:
        return json.loads(text.decode())
    except UnicodeDecodeError as error:
        told = _column_at(text, error.start)
        raise DataError(f"{where}, {told}: not text in UTF-8; repair or remove the row") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error})") from None


def _column_at(line: bytes, at: int) -> str:
    """The column whose value holds the byte `at`."""
    try:
        row = json.loads(line[:at].decode() + "\ufffe" + line[at:].decode("latin-1"))
    except ValueError:
        return f"byte {at}"
    items = row.items() if isinstance(row, dict) else ()
    held = [name for name, value in items if "\ufffe" in json.dumps(value, ensure_ascii=False)]
    return f"column {held[0]}" if held else f"byte {at}"
