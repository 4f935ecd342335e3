"""The rows of JSON and CSV files, plain or packed by gzip or zstd. Row numbers in messages count from 0 within the file."""

import codecs
import csv
import gzip
import json
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import chain, count
from pathlib import Path
from typing import Any, cast

from ablation.errors import DataError, first_line

_BUFFER_BYTES = 1 << 20
# A trajectory may be longer than the 128 kB that the csv module takes for a field unless it is told otherwise.
_LONGEST_FIELD = (1 << 31) - 1
_TEXT = re.compile(r"\S")
_BAD_BYTE = "\ufffe"  # no character; it stands for a byte that cannot be decoded
_NOT_UTF8 = "not text in UTF-8; repair or remove the row"
_CUT_OFF = "; the file ends within this row, as if it had been cut off"


def json_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of JSON lines one at a time, or those of a file that is one list. Blank lines are left out.

    In a ``.json`` file, objects may also spread over several lines, one behind another. Raises DataError naming the row.
    """
    with _opened(file) as stream:
        lines = (line for line in _without_mark(stream) if line.strip())
        first = next(lines, b"")
        is_whole = first.lstrip().startswith(b"[") or (".json" in file.suffixes and not _is_json(first))
        values = _values(first + b"".join(lines), file) if is_whole else _line_values(chain([first], lines), file)
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise DataError(f"{file}, row {number}: not an object with named columns")
            yield value


def csv_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows below the header, every value a text, or None for an empty field. Raises DataError naming the row."""
    csv.field_size_limit(_LONGEST_FIELD)
    with _opened(file) as stream:
        lines = (line.decode() for line in _without_mark(stream))
        delimiter = "\t" if ".tsv" in file.suffixes else ","
        records = filter(None, csv.reader(lines, delimiter=delimiter, strict=True))  # a blank line is an empty record
        columns = _column_names(_next_record(records, f"{file}, header") or [], file)
        for number in count():
            where = f"{file}, row {number}"
            fields = _next_record(records, where)
            if fields is None:
                return
            if len(fields) != len(columns):
                raise DataError(f"{where}: {len(fields)} fields, but the header names {len(columns)} columns")
            yield {column: field or None for column, field in zip(columns, fields, strict=True)}


@contextmanager
def _opened(file: Path) -> Generator[BufferedReader]:
    """Open for reading bytes, unpacked. What goes wrong within becomes DataError."""
    try:
        with _stream(file) as stream:
            yield stream
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file} cannot be read ({first_line(error)}); check that it is whole, and of the kind that its name says"
        ) from error


def _stream(file: Path) -> BufferedReader:
    if file.name.endswith(".gz"):
        return cast("BufferedReader", gzip.open(file, "rb"))
    if file.name.endswith(".zst"):
        import pyarrow as pa

        return BufferedReader(pa.input_stream(str(file), compression="zstd"), _BUFFER_BYTES)
    return file.open("rb")


def _without_mark(stream: BufferedReader) -> Iterator[bytes]:
    """Yield the lines. The byte-order mark that some editors put at the beginning is left out."""
    yield next(stream, b"").removeprefix(codecs.BOM_UTF8)
    yield from stream


def _line_values(lines: Iterator[bytes], file: Path) -> Iterator[object]:
    for number, line in enumerate(line for line in lines if line):
        where = f"{file}, row {number}"
        try:
            yield json.loads(line.decode())
        except UnicodeDecodeError as error:
            raise DataError(f"{where}, {_column_at(line, error.start)}: {_NOT_UTF8}") from None
        except (ValueError, RecursionError) as error:
            cut_off = "" if line.endswith(b"\n") else _CUT_OFF
            raise DataError(f"{where}: not JSON ({error}){cut_off}") from None


def _values(text: bytes, file: Path) -> list[object]:
    """Return the JSON values that stand one behind another, or the items of the only one where that is a list."""
    values: list[object] = []
    try:
        content = text.decode().strip()
        at = 0
        while at < len(content):
            value, end = json.JSONDecoder().raw_decode(content, at)
            values.append(value)
            at = next(_TEXT.finditer(content, end)).start() if end < len(content) else end
    except UnicodeDecodeError as error:
        raise DataError(f"{file}, {_item_at(text, error.start)}: {_NOT_UTF8}") from None
    except (ValueError, RecursionError) as error:
        row = "" if content.startswith("[") else f", row {len(values)}"
        raise DataError(f"{file}{row}: not JSON ({error})") from None
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _column_at(line: bytes, at: int) -> str:
    """Return the name of the column whose value holds the byte `at`, or ``byte N`` where there is no such column."""
    row = _marked(line, at)
    items = row.items() if isinstance(row, dict) else ()
    columns = [column for column, value in items if _holds_bad_byte(value)]
    return f"column {columns[0]}" if columns else f"byte {at}"


def _item_at(text: bytes, at: int) -> str:
    """Return the row of a list, and the column, that hold the byte `at`."""
    content = _marked(text, at)
    for number, row in enumerate(content if isinstance(content, list) else ()):
        for column, value in row.items() if isinstance(row, dict) else ():
            if _holds_bad_byte(value):
                return f"row {number}, column {column}"
    return f"byte {at}"


def _marked(text: bytes, at: int) -> object:
    """Return the JSON value with a mark put before the byte `at`, or None where it is no JSON."""
    try:
        return cast("object", json.loads(text[:at].decode() + _BAD_BYTE + text[at:].decode("latin-1")))
    except (ValueError, RecursionError):
        return None


def _holds_bad_byte(value: object) -> bool:
    return _BAD_BYTE in json.dumps(value, ensure_ascii=False)


def _column_names(header: list[str], file: Path) -> list[str]:
    # A table's row labels are often written as a first column without a name. pandas calls it so when it reads.
    columns = [name or f"Unnamed: {index}" for index, name in enumerate(header)]
    if twice := [name for index, name in enumerate(columns) if name in columns[:index]]:
        raise DataError(f"{file}, header: column {twice[0]} occurs twice; rename or remove one of the two")
    return columns


def _next_record(records: Iterator[list[str]], where: str) -> list[str] | None:
    try:
        return next(records, None)
    except UnicodeDecodeError:
        raise DataError(f"{where}: {_NOT_UTF8}") from None
    except csv.Error as error:
        cut_off = _CUT_OFF if str(error) == "unexpected end of data" else ""
        raise DataError(f"{where}: not CSV ({error}){cut_off}") from None
