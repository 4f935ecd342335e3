"""The rows of a dataset, one after another, from a file, a folder or a hub; never more than a few of them in memory.

Numbers count from zero over the whole dataset. What cannot be read is said with its row and, where it can be told, its column.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from ablation.data.rows import Row, place
from ablation.data.source import local_path
from ablation.errors import DataError, first_line
from ablation.specs import Source

_BATCH_ROWS = 128
_BUFFER_BYTES = 1 << 20
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")
ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")


def rows(source: Source) -> Iterator[tuple[int, Row]]:
    """Each row with its number. Raises DataError."""
    import pyarrow as pa
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield from enumerate(_rows(source))
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        RuntimeError,
        OverflowError,
        pa.ArrowException,
        HTTPError,
    ) as error:
        raise DataError(_told(source, error)) from error


def _rows(source: Source) -> Iterator[Row]:
    path = local_path(source)
    files = _files(path) if path else []
    _refuse_missing_shards([file.name for file in files], place(source))
    if files and files[0].name.endswith(ENDINGS):
        for file in files:
            yield from json_rows(file)
        return
    number = 0
    for table in _tables(files) if files else _of_hub(source):
        yield from _plain(table, number, place(source))
        number += table.num_rows


def _tables(files: Sequence[Path]) -> Iterator[Any]:
    """A few rows at a time. Not by `datasets`, which has a row group in memory whole, and many programs write a file as one."""
    import pyarrow.parquet as pq

    for file in files:
        with pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet:
            yield from parquet.iter_batches(_BATCH_ROWS)


def _plain(table: Any, first: int, name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = table.to_pylist()
    except UnicodeDecodeError:
        raise DataError(f"{name}, {_not_text(table, first)}: not text in UTF-8; repair or remove the row") from None
    # A column of JSON files on a hub whose rows are of several types: what `datasets` hands out is the text of each.
    of_any_type = [field.name for field in table.schema if str(field.type) == "extension<arrow.json>"]
    for row in found:
        row.update({name: json.loads(row[name]) for name in of_any_type if row[name] is not None})
    return found


def _not_text(table: Any, first: int) -> str:
    """The first row and column of a table whose text cannot be decoded."""
    for index in range(table.num_rows):
        for column in table.column_names:
            try:
                table[column][index].as_py()
            except UnicodeDecodeError:
                return f"row {first + index}, column {column}"
    return f"row {first} or after it"


def _of_hub(source: Source) -> Iterator[Any]:
    import datasets

    folder, split = _downloaded(source), source.split or "train"
    revision = None if folder else source.revision
    dataset = datasets.load_dataset(
        folder or source.hub, name=source.subset, split=split, revision=revision, streaming=True
    )
    # A shard is read ahead to its end, so row groups are made shards: else a whole file of a large corpus is in memory.
    found: Iterator[Any] = dataset.reshard().with_format("arrow").iter(batch_size=_BATCH_ROWS)
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for endings in ((".parquet",), ENDINGS):
        files = sorted(file for file in path.rglob("*") if file.name.endswith(endings) and ".cache" not in file.parts)
        if files:
            return files
    raise DataError(f"{path} holds neither Parquet nor JSON lines")


def _downloaded(source: Source) -> str | None:
    """The folder of a commit that was downloaded before, whole: with it, no hub is needed."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(source.hub), repo_type="dataset", revision=source.revision, local_files_only=True
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    _refuse_missing_shards([file.relative_to(folder).as_posix() for file in Path(folder).rglob("*")], place(source))
    return str(folder)


def _refuse_missing_shards(names: list[str], told: str) -> None:
    """A download that stopped half-way would be a smaller corpus under the same name."""
    shards: dict[str, tuple[int, set[int]]] = {}
    for name in names:
        if match := _SHARD.search(name):
            shards.setdefault(name[: match.start()], (int(match[2]), set()))[1].add(int(match[1]))
    for stem, (count, there) in shards.items():
        if missing := sorted(set(range(count)) - there):
            raise DataError(
                f"{told}: {len(missing)} of the {count} files {stem}-*-of-{count:05d} are not there, first number {missing[0]}; "
                "download the rest"
            )


def _told(source: Source, error: Exception) -> str:
    advice = (
        "check that it is a Parquet or JSON lines file"
        if local_path(source)
        else "check the id, the revision, the subset and the network, or give source.path= of a local copy"
    )
    reason = first_line(error)
    revision = f" at revision {source.revision}" if source.hub else ""
    return f"{place(source)}{revision} cannot be read ({reason}); {advice}"


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
