"""The pool stage: every usable generation of a corpus, encoded once for all cells and sweeps that share corpus and tokenizer.

``index.parquet`` has a row for each generation, small enough to hold for any corpus. ``trajectories.arrow`` has texts and token
ids in the same order; it is mapped into memory, so that what is read costs, not what is there. A cell is a list of positions.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.corpus.columns import Generation
from ablation.corpus.conversation import Rendered, Renderer, encoded
from ablation.corpus.normal import problem_key, text_key
from ablation.corpus.read import read
from ablation.halt import Halt
from ablation.records import write_json
from ablation.science import Corpus, Model
from ablation.tokenizer import load_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase

INDEX_FILE = "index.parquet"
TRAJECTORIES_FILE = "trajectories.arrow"
FUNNEL_FILE = "funnel.json"
# Bounds the memory of a batch: an encoding takes some hundred bytes a token.
_BATCH_CHARACTERS = 2_000_000
T = TypeVar("T")

INDEX = pa.schema(
    {
        **dict.fromkeys(("id", "problem_key", "text_key", "problem_type", "source", "style"), pa.string()),
        **dict.fromkeys(("tokens", "total_tokens"), pa.int32()),
    }
)
TRAJECTORIES = pa.schema(
    {
        **dict.fromkeys(("problem", "generation"), pa.string()),
        **dict.fromkeys(("prompt_ids", "answer_ids"), pa.list_(pa.int32())),
    }
)


@dataclass(frozen=True)
class Conversation:
    """A trajectory as it is trained on: the ids of the prompt, and of the assistant's part with its end."""

    problem: str
    generation: str
    prompt_ids: "np.ndarray"
    answer_ids: "np.ndarray"


@dataclass(frozen=True)
class _Batch:
    """Generations that are read and rendered, and wait for the tokenizer."""

    generations: list[Generation]
    rendered: list[Rendered]
    keys: list[tuple[str, str]]


def make_pool(corpus: Corpus, model: Model, folder: Path, halt: Halt | None = None) -> None:
    """Write ``index.parquet``, ``trajectories.arrow`` and ``funnel.json`` (how many each step left)."""
    funnel = Counter[str]()
    tokenizer = load_tokenizer(model)
    batches = _ahead(_batches(corpus, Renderer(tokenizer), funnel))
    with (
        pq.ParquetWriter(folder / INDEX_FILE, INDEX) as index,
        pa.OSFile(str(folder / TRAJECTORIES_FILE), "wb") as file,
        pa.ipc.new_file(file, TRAJECTORIES) as trajectories,
    ):
        for batch in batches:
            if halt:
                halt.check()
            rows, texts = _tables(batch, tokenizer)
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


def _batches(corpus: Corpus, renderer: Renderer, funnel: Counter[str]) -> Iterator[_Batch]:
    waiting: list[Generation] = []
    characters = 0
    for row in read(corpus):
        kept = _kept(row, corpus, funnel)
        waiting += kept
        characters += sum(len(item.text) for item in kept)
        if characters >= _BATCH_CHARACTERS:
            yield _batch(waiting, renderer)
            waiting, characters = [], 0
    if waiting:
        yield _batch(waiting, renderer)


def _kept(row: list[Generation], corpus: Corpus, funnel: Counter[str]) -> list[Generation]:
    filled = [item for item in row if item.text.strip() and item.problem.strip()]
    right = [item for item in filled if item.right]
    complete = [item for item in right if item.complete]
    funnel.update(rows=1, generations=len(row), not_empty=len(filled), right=len(right), complete=len(complete))
    return complete if corpus.keep == "right" else filled


def _batch(generations: list[Generation], renderer: Renderer) -> _Batch:
    problems = [item.problem for item in generations]
    keys = {problem: problem_key(problem) for problem in dict.fromkeys(problems)}
    rendered = renderer.conversations(problems, [item.text for item in generations], [item.id for item in generations])
    return _Batch(generations, rendered, [(keys[item.problem], text_key(item.text)) for item in generations])


def _tables(batch: _Batch, tokenizer: "PreTrainedTokenizerBase") -> tuple[pa.RecordBatch, pa.RecordBatch]:
    distinct = list(dict.fromkeys(one.prompt for one in batch.rendered))
    tails = list(dict.fromkeys(one.tail for one in batch.rendered))
    answers = encoded(tokenizer, [one.answer for one in batch.rendered])
    prompt_ids = dict(zip(distinct, encoded(tokenizer, distinct), strict=True))
    tail_tokens = {tail: len(ids) for tail, ids in zip(tails, encoded(tokenizer, tails), strict=True)}
    prompts = [prompt_ids[one.prompt] for one in batch.rendered]
    items = batch.generations
    index: list[Any] = [
        [item.id for item in items], [key for key, _ in batch.keys], [key for _, key in batch.keys],
        [item.problem_type for item in items], [item.source for item in items], [item.style for item in items],
        [len(ids) - tail_tokens[one.tail] for ids, one in zip(answers, batch.rendered, strict=True)],
        [len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)],
    ]  # fmt: skip
    texts: list[Any] = [
        [item.problem for item in items],
        [item.text for item in items],
        _lists(prompts),
        _lists(answers),
    ]
    return _record_batch(index, INDEX), _record_batch(texts, TRAJECTORIES)


def _lists(given: Sequence[Sequence[int]]) -> pa.Array:
    """What `pa.array` makes of lists of integers, in half its time."""
    import numpy as np

    ends = np.cumsum([0, *map(len, given)], dtype=np.int32)
    values = np.fromiter(chain.from_iterable(given), np.int32, int(ends[-1]))
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values))


def _record_batch(columns: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next one made while this one is worked on."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
