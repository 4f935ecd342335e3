"""The pool stage: the generations that a corpus keeps, with their lengths under the model's tokenizer."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pandas as pd

from ablation.corpus.read import Generation, read
from ablation.corpus.select import FUNNEL_FILE, POOL_FILE
from ablation.errors import DataError
from ablation.records import write_json
from ablation.science import Corpus, Model
from ablation.tokenizer import load_tokenizer

_BATCH_TEXTS = 1000


def make_pool(corpus: Corpus, model: Model, folder: Path) -> None:
    """Write ``pool.parquet`` (id, problem_type, style, tokens, problem, generation) and ``funnel.json`` (counts)."""
    funnel: Counter[str] = Counter()
    kept = chain.from_iterable(_kept(row, corpus, funnel) for row in read(corpus))
    frame = pd.DataFrame(
        _with_tokens(kept, model), columns=["id", "problem_type", "style", "tokens", "problem", "generation"]
    )
    _refuse_duplicates(frame, corpus)
    frame.to_parquet(folder / POOL_FILE, index=False)
    write_json(folder / FUNNEL_FILE, {name: funnel[name] for name in ("rows", "generations", "right", "kept")})


def _kept(row: list[Generation], corpus: Corpus, funnel: Counter[str]) -> list[Generation]:
    right = [generation for generation in row if generation.right and generation.complete]
    kept = right if corpus.keep == "right" else row
    funnel.update(rows=1, generations=len(row), right=len(right), kept=len(kept))
    return kept


def _with_tokens(
    generations: Iterator[Generation], model: Model
) -> Iterator[tuple[str, str | None, str, int, str, str]]:
    tokenizer = load_tokenizer(model)
    for batch in _batched(generations):
        encoded = tokenizer([item.text for item in batch], add_special_tokens=False)["input_ids"]
        for item, ids in zip(batch, encoded, strict=True):
            yield item.id, item.problem_type, item.style, len(ids), item.problem, item.text


def _batched(generations: Iterator[Generation]) -> Iterator[list[Generation]]:
    while batch := list(islice(generations, _BATCH_TEXTS)):
        yield batch


def _refuse_duplicates(frame: pd.DataFrame, corpus: Corpus) -> None:
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise DataError(
            f"corpus {corpus.name}: {len(twice)} generations share an id, first {twice.iloc[0]!r}; every row needs its own uuid"
        )
