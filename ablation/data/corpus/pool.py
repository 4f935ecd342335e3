"""The pool stage: every usable generation of a corpus, encoded once for all cells and sweeps that share corpus and tokenizer.

``index.parquet`` has a row for each generation, small enough to hold for any corpus. ``trajectories.arrow`` has texts and token
ids in the same order; it is mapped into memory, so that what is read costs, not what is there. A cell is a list of positions.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.data.corpus.encoded_batches import INDEX, TRAJECTORIES, encoded_tables
from ablation.data.corpus.token_cache import encoding_digest, link_equal_pool, write_encoding
from ablation.data.tokenizer import load_tokenizer
from ablation.specs import Corpus, Model
from ablation.store.interrupt import StopRequest
from ablation.store.records import write_json

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase

INDEX_FILE = "index.parquet"
TRAJECTORIES_FILE = "trajectories.arrow"
FUNNEL_FILE = "funnel.json"


@dataclass(frozen=True)
class Conversation:
    """A trajectory as it is trained on: the ids of the prompt, and of the assistant's part with its end."""

    problem: str
    generation: str
    prompt_ids: "np.ndarray"
    answer_ids: "np.ndarray"


def make_pool(
    corpus: Corpus, model: Model, folder: Path, halt: StopRequest | None = None, pools: Path | None = None
) -> None:
    """Write ``index.parquet``, ``trajectories.arrow`` and ``funnel.json`` (how many each step left).

    Where `pools`, a folder of complete ones, has one that an equal tokenizer made of this corpus, nothing is encoded again.
    """
    tokenizer = load_tokenizer(model)
    same = encoding_digest(corpus, tokenizer)
    if not (same and pools and link_equal_pool(same, pools, folder)):
        _encode(corpus, tokenizer, folder, halt)
    write_encoding(same, folder)


def _encode(corpus: Corpus, tokenizer: "PreTrainedTokenizerBase", folder: Path, halt: StopRequest | None) -> None:
    funnel = Counter[str]()
    with (
        pq.ParquetWriter(folder / INDEX_FILE, INDEX) as index,
        pa.OSFile(str(folder / TRAJECTORIES_FILE), "wb") as file,
        pa.ipc.new_file(file, TRAJECTORIES) as trajectories,
        closing(encoded_tables(corpus, tokenizer, funnel)) as batches,
    ):
        for rows, texts in batches:
            if halt:
                halt.check()
            index.write_batch(rows)
            trajectories.write_batch(texts)
    steps = ("rows", "generations", "not_empty", *(("right", "complete") if corpus.keep == "right" else ()))
    write_json(folder / FUNNEL_FILE, {name: funnel[name] for name in steps})


def read_trajectories(folder: Path, positions: Sequence[int]) -> list[Conversation]:
    """What stands at these positions of the index, in the given order."""
    reader = pa.ipc.open_file(pa.memory_map(str(folder / TRAJECTORIES_FILE)))
    batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    starts = [0, *accumulate(batch.num_rows for batch in batches)]
    by_batch: dict[int, list[int]] = {}
    for position in positions:
        by_batch.setdefault(bisect_right(starts, position) - 1, []).append(position)
    found: dict[int, Conversation] = {}
    for number, inside in by_batch.items():
        taken = batches[number].take(pa.array([position - starts[number] for position in inside]))
        found.update(zip(inside, _conversations(taken), strict=True))
    return [found[position] for position in positions]


def _conversations(taken: pa.RecordBatch) -> Iterator[Conversation]:
    for problem, generation, prompt, answer in zip(*(taken.column(name) for name in TRAJECTORIES.names), strict=True):
        ids = (part.values.to_numpy(zero_copy_only=False).copy() for part in (prompt, answer))
        yield Conversation(problem.as_py(), generation.as_py(), *ids)


def read_problems(folder: Path) -> Iterator[str]:
    """The problem of each row of the index, in order."""
    reader = pa.ipc.open_file(pa.memory_map(str(folder / TRAJECTORIES_FILE)))
    for number in range(reader.num_record_batches):
        yield from reader.get_batch(number).column("problem").to_pylist()
