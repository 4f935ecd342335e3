"""``completions.parquet``: the texts that the models wrote, beside the results that grade them."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.data.benchmark import read_questions
from ablation.specs.address import Address
from ablation.specs.base import digest
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.records import read_completions
from ablation.store.store import Store

TEXTS_FILE = "completions.parquet"
QUESTIONS_FILE = "questions.parquet"

_SCHEMA = pa.schema([("cell", pa.string()), ("question", pa.string()), ("attempt", pa.int64()), ("text", pa.string())])
_MADE_OF = b"ablation.cells"


def write_texts(done: Sequence[Cell], store: Store, path: Path) -> None:
    """Write the completions of the cells, with one cell at a time in memory.

    Texts are long, so a file that was made of these very cells is left as it is. Raises RecordError.
    """
    made_of = digest([[cell.name, *(address.digest for address in _blocks(cell))] for cell in done])
    if path.exists() and (pq.read_schema(path).metadata or {}).get(_MADE_OF) == made_of.encode():
        return
    beside = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with pq.ParquetWriter(beside, _SCHEMA.with_metadata({_MADE_OF: made_of}), compression="zstd") as writer:
            for table in _tables(done, store):
                writer.write_table(table)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _tables(done: Sequence[Cell], store: Store) -> Iterator[pa.Table]:
    for cell in done:
        folders = [store.path(address) for address in _blocks(cell)]
        completions = read_completions(folders, [question.id for question in read_questions(cell.benchmark)])
        # A lone surrogate, which JSON can hold, is no valid UTF-8 and Parquet would refuse it.
        rows = [
            (cell.name, row.question, row.attempt, row.text.encode("utf-8", "replace").decode()) for row in completions
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        yield pa.table(columns, names=_SCHEMA.names).cast(_SCHEMA)


def _blocks(cell: Cell) -> list[Address]:
    return [address for address in addresses(cell).values() if address.stage == StageName.SAMPLE]
