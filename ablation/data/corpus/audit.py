"""The selections of a sweep in numbers: lengths, categories, sources, what two of them share, what gives a benchmark away."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from ablation.data.corpus.contamination import BenchmarkQuestion, Contamination
from ablation.data.corpus.pool import read_trajectories
from ablation.data.corpus.select import read_chosen
from ablation.data.corpus.sift import benchmark_questions
from ablation.specs.cell import Cell, addresses
from ablation.store.records import SUMMARY_FILE

QUANTILES = ("p0", "p10", "p25", "p50", "p75", "p90", "p100")


@dataclass(frozen=True)
class Selection:
    """What one or several cells train on: those that differ in nothing that selects share it. Digests are over the sorted ids."""

    name: str
    cells: tuple[str, ...]
    count: int
    problems: int
    tokens: dict[str, float]
    total_tokens: int
    categories: dict[str, int]
    sources: dict[str, int]
    funnel: dict[str, int]
    hits: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Audit:
    """All selections of a sweep, and how many `questions` each benchmark has that they were held against.

    `shared[i][j]` is how many trajectories selections i and j have in common.
    """

    study: str
    selections: tuple[Selection, ...]
    shared: tuple[tuple[int, ...], ...]
    shared_problems: tuple[tuple[int, ...], ...]
    base_cells: int
    questions: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a machine."""
        return asdict(self)


@dataclass(frozen=True)
class SelectedCells:
    """Cells with one selection, and its stage folders."""

    cells: tuple[Cell, ...]
    paths: Mapping[str, Path]


def audit(study: str, made: Sequence[SelectedCells], base_cells: int) -> Audit:
    """Measure selections that are in the store."""
    chosen = [read_chosen(one.paths["select"]) for one in made]
    benchmarks = {cell.benchmark.source: cell.benchmark for one in made for cell in one.cells}
    asked = [(one.name, benchmark_questions([one])) for one in benchmarks.values()]
    hits = _hits(made, chosen, [question for _, some in asked for question in some])
    selections = [_selection(*one) for one in zip(made, chosen, hits, strict=True)]
    # Ids are unique in a corpus, and corpora may number theirs alike.
    ids = [
        [f"{one.paths['pool'].name}/{name}" for name in frame["id"]] for one, frame in zip(made, chosen, strict=True)
    ]
    problems = [frame["problem_key"].tolist() for frame in chosen]
    counts = Counter(name for name, some in asked for _ in some)
    return Audit(study, tuple(selections), _common(ids), _common(problems), base_cells, dict(counts))


def _selection(made: SelectedCells, chosen: pd.DataFrame, hits: tuple[str, ...]) -> Selection:
    told = json.loads((made.paths["select"] / SUMMARY_FILE).read_text(encoding="utf-8"))
    return Selection(
        name=addresses(made.cells[0])["select"].slug,
        cells=tuple(cell.name for cell in made.cells),
        count=len(chosen),
        problems=int(chosen["problem_key"].nunique()),
        tokens={name: told["tokens"][name] for name in QUANTILES},
        total_tokens=told["total_tokens"],
        categories=_counts(chosen["problem_type"]),
        sources=_counts(chosen["source"]),
        funnel=told["funnel"],
        hits=hits,
        digest=told["ids_sha256"],
    )


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.fillna("(none)").value_counts().items()}


def _common(members: Sequence[Sequence[str]]) -> tuple[tuple[int, ...], ...]:
    """How many names each two lists share, each name counted once."""
    if not members:
        return ()
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for names in members for name in names))}
    rows = np.concatenate([np.full(len(set(names)), row) for row, names in enumerate(members)])
    columns = np.concatenate([[numbers[name] for name in dict.fromkeys(names)] for names in members])
    held = csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=(len(members), len(numbers)))
    return tuple(tuple(int(count) for count in row) for row in (held @ held.T).toarray())


def _hits(
    made: Sequence[SelectedCells], chosen: Sequence[pd.DataFrame], questions: Sequence[BenchmarkQuestion]
) -> list[tuple[str, ...]]:
    """For each selection, the trajectories whose problem gives away one of the questions, as sentences.

    By the n-grams of the corpus's own filter, also where that filter is off. A problem is looked at once.
    """
    known: dict[tuple[str, int, float], str | None] = {}
    found = []
    for one, frame in zip(made, chosen, strict=True):
        filters = one.cells[0].corpus.filters if one.cells[0].corpus else None
        ngram, share = (filters.ngram, filters.share) if filters else (8, 0.5)
        new = frame[[(key, ngram, share) not in known for key in frame["problem_key"]]].drop_duplicates("problem_key")
        check = Contamination(questions, ngram, share)
        for key, text in zip(
            new["problem_key"], read_trajectories(one.paths["pool"], new["position"].tolist()), strict=True
        ):
            hit = check.hit(text.problem)
            told = f"{hit.benchmark} question {hit.question} ({hit.kind}, {hit.share:g})" if hit else None
            known[key, ngram, share] = told
        each = ((name, known[key, ngram, share]) for name, key in zip(frame["id"], frame["problem_key"], strict=True))
        found.append(tuple(f"{name}: {sentence}" for name, sentence in each if sentence))
    return found
