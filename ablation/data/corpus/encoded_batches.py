"""A corpus's usable generations as batches of two tables: an index of small columns, and the texts with their token ids.

Three steps run at once, so that the tokenizer, which is nearly all of the work, seldom waits: one thread reads and renders a
batch, one has the tokenizer encode the batch before, and the caller turns the one before that into tables.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from ablation.data.corpus.chat_template import Encoded, Rendered, Renderer, encoded
from ablation.data.corpus.columns import Generation
from ablation.data.corpus.generations import read_generations
from ablation.data.corpus.normalise import problem_key, text_key
from ablation.specs import Corpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
class _Batch:
    """Generations that are read and rendered, and wait for the tokenizer."""

    generations: list[Generation]
    rendered: list[Rendered]
    keys: list[tuple[str, str]]


@dataclass(frozen=True)
class _Encodings:
    """What the tokenizer made of a batch: an answer for each generation, each prompt and each tail once."""

    batch: _Batch
    answers: Sequence[Encoded]
    prompts: dict[str, Encoded]
    tails: dict[str, Encoded]


def encoded_tables(
    corpus: Corpus, tokenizer: "PreTrainedTokenizerBase", funnel: Counter[str]
) -> Generator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """For each batch its rows of INDEX and of TRAJECTORIES; `funnel` counts what filters left. Closed, it leaves no thread."""
    with (
        closing(_ahead(_batches(corpus, Renderer(tokenizer), funnel))) as read_ahead,
        closing(_ahead(map(partial(_encodings, tokenizer), read_ahead))) as encoded_ahead,
    ):
        for one in encoded_ahead:
            yield _index(one), _trajectories(one)


def _batches(corpus: Corpus, renderer: Renderer, funnel: Counter[str]) -> Iterator[_Batch]:
    waiting: list[Generation] = []
    characters = 0
    for row in read_generations(corpus):
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


def _encodings(tokenizer: "PreTrainedTokenizerBase", batch: _Batch) -> _Encodings:
    prompts = list(dict.fromkeys(one.prompt for one in batch.rendered))
    tails = list(dict.fromkeys(one.tail for one in batch.rendered))
    return _Encodings(
        batch,
        encoded(tokenizer, [one.answer for one in batch.rendered]),
        dict(zip(prompts, encoded(tokenizer, prompts), strict=True)),
        dict(zip(tails, encoded(tokenizer, tails), strict=True)),
    )


def _index(one: _Encodings) -> pa.RecordBatch:
    items, rendered = one.batch.generations, one.batch.rendered
    tails = {text: len(encoding) for text, encoding in one.tails.items()}
    prompts = {text: len(encoding) for text, encoding in one.prompts.items()}
    answers = [len(encoding) for encoding in one.answers]
    columns: list[Any] = [
        [item.id for item in items], [key for key, _ in one.batch.keys], [key for _, key in one.batch.keys],
        [item.problem_type for item in items], [item.source for item in items], [item.style for item in items],
        [answer - tails[text.tail] for answer, text in zip(answers, rendered, strict=True)],
        [prompts[text.prompt] + answer for answer, text in zip(answers, rendered, strict=True)],
    ]  # fmt: skip
    return _record_batch(columns, INDEX)


def _trajectories(one: _Encodings) -> pa.RecordBatch:
    items = one.batch.generations
    prompts = [one.prompts[text.prompt] for text in one.batch.rendered]
    columns = [[item.problem for item in items], [item.text for item in items], _lists(prompts), _lists(one.answers)]
    return _record_batch(columns, TRAJECTORIES)


def _lists(given: Sequence[Encoded]) -> pa.Array:
    """The ids as a column of lists. Held as Python's integers, all of a batch at once, they would cost twice the time."""
    import numpy as np

    ends = np.cumsum([0, *map(len, given)], dtype=np.int32)
    values = np.fromiter(chain.from_iterable(encoding.ids for encoding in given), np.int32, int(ends[-1]))
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values))


def _record_batch(columns: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _ahead(items: Iterator[T]) -> Generator[T]:
    """The same items, the next one made while this one is worked on."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
