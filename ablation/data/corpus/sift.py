"""The sift stage: what of a pool may be used at all, each filter with the number that it left.

The order is fixed: duplicates, contamination, length, one trajectory a problem: the one is chosen among those that may be used.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ablation.data.benchmark.questions import read_questions
from ablation.data.corpus.contamination import BenchmarkQuestion, Contamination, Hit
from ablation.data.corpus.pool import FUNNEL_FILE, INDEX_FILE, read_problems
from ablation.data.source import source_name
from ablation.errors import DataError
from ablation.specs import Benchmark, Corpus, Filters
from ablation.specs.cell import Cell
from ablation.store.records import write_json

KEPT_FILE = "kept.parquet"
HITS_FILE = "hits.jsonl"


def make_sifted(pool: Path, cell: Cell, folder: Path) -> None:
    """Write ``kept.parquet`` (the index of what may be used, with positions in the pool), ``hits.jsonl`` and ``funnel.json``."""
    if cell.corpus is None or cell.train is None:
        return
    filters, frame = cell.corpus.filters, pd.read_parquet(pool / INDEX_FILE)
    frame["position"] = range(len(frame))
    funnel = json.loads((pool / FUNNEL_FILE).read_text())
    if filters.duplicates == "drop":
        frame = frame.drop_duplicates("id").drop_duplicates(["problem_key", "text_key", "style"])
        funnel["distinct"] = len(frame)
    _refuse_shared_ids(frame, cell.corpus)
    hits = _hits(frame, pool, filters)
    if filters.decontaminate != "off":
        frame = frame[~frame["problem_key"].isin(list(hits))]
        funnel["decontaminated"] = len(frame)
    if filters.too_long == "drop":
        frame = frame[frame["total_tokens"] <= cell.train.block_tokens]
        funnel["fits_block"] = len(frame)
    if filters.per_problem != "all":
        frame = _one_a_problem(frame, filters.per_problem)
        funnel["one_a_problem"] = len(frame)
    frame.drop(columns="text_key").to_parquet(folder / KEPT_FILE, index=False)
    (folder / HITS_FILE).write_text("".join(f"{json.dumps(hit)}\n" for hit in _told(hits)))
    write_json(folder / FUNNEL_FILE, funnel)


def read_kept(folder: Path) -> pd.DataFrame:
    """What may be used: id, position in the pool, problem_key, problem_type, source, style, tokens, total_tokens."""
    return pd.read_parquet(folder / KEPT_FILE)


def benchmark_questions(benchmarks: Iterable[Benchmark]) -> list[BenchmarkQuestion]:
    """The questions of several benchmarks, to hold a corpus against."""
    return [
        BenchmarkQuestion(source_name(one.source), asked.id, asked.problem)
        for one in benchmarks
        for asked in read_questions(one)
    ]


def contamination_check(benchmarks: Iterable[Benchmark], filters: Filters) -> Contamination:
    """The check that a corpus's filters ask for."""
    return Contamination(
        benchmark_questions(benchmarks), filters.ngram if filters.decontaminate == "ngrams" else None, filters.share
    )


def _hits(frame: pd.DataFrame, pool: Path, filters: Filters) -> dict[str, tuple[str, Hit]]:
    """By problem key, the first trajectory's id and what its problem gives away; each problem is looked at once."""
    if filters.decontaminate == "off":
        return {}
    check = contamination_check(filters.benchmarks, filters)
    first = frame.drop_duplicates("problem_key")
    wanted = dict(zip(first["position"], zip(first["problem_key"], first["id"], strict=True), strict=True))
    problems = ((wanted[at], text) for at, text in enumerate(read_problems(pool)) if at in wanted)
    return {key: (identity, hit) for (key, identity), text in problems if (hit := check.hit(text))}


def _told(hits: dict[str, tuple[str, Hit]]) -> list[dict[str, object]]:
    return [{"id": identity, "problem_key": key, **asdict(hit)} for key, (identity, hit) in hits.items()]


def _one_a_problem(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
    ranked = frame
    if rule != "first":
        ranked = frame.sort_values("tokens", kind="stable", ascending=rule == "shortest")
    return ranked.drop_duplicates(["problem_key", "style"]).sort_values("position")


def _refuse_shared_ids(frame: pd.DataFrame, corpus: Corpus) -> None:
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise DataError(
            f"corpus {corpus.name}: {len(twice)} generations share an id, first {twice.iloc[0]!r}; every row needs its own "
            "(or corpus.filters.duplicates=drop keeps the first)"
        )
