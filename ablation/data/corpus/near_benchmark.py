"""The near stage: the problems of a corpus that are like, or unlike, the questions of a benchmark's tiers.

`nearest`: each question takes its `per_question` most alike problems, and a problem that several take is there once.
`farthest`: as many problems as that could be at most, those whose likeness to the question nearest to them is smallest.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ablation.data.benchmark import read_tiers
from ablation.data.benchmark.questions import read_questions
from ablation.data.corpus.pool import read_problems
from ablation.data.corpus.sift import read_kept
from ablation.data.corpus.similarity import cosine_similarity
from ablation.errors import ConfigProblems, did_you_mean
from ablation.specs import Category, Near
from ablation.store.records import Question

if TYPE_CHECKING:
    import numpy as np

NEAR_FILE = "near.parquet"


def make_near(pool: Path, sifted: Path, category: Category, folder: Path) -> None:
    """Write ``near.parquet``: problem_key, the question it is nearest to, and the likeness."""
    if category.near is None:
        return
    kept = read_kept(sifted)
    if category.problem_types is not None:
        kept = kept[kept["problem_type"].isin(category.problem_types)]
    distinct = kept.drop_duplicates("problem_key")
    asked = tier_questions(category.near)
    wanted = set(distinct["position"])
    problems = [text for position, text in enumerate(read_problems(pool)) if position in wanted]
    alike = cosine_similarity(problems, [question.problem for question in asked], category.near.embedding)
    chosen = _nearest(alike, category.near) if category.near.side == "nearest" else _farthest(alike, category.near)
    closest = alike.argmax(axis=1)
    pd.DataFrame(
        {
            "problem_key": [distinct["problem_key"].iloc[row] for row in chosen],
            "question": [asked[closest[row]].id for row in chosen],
            "likeness": [float(alike[row, closest[row]]) for row in chosen],
        }
    ).to_parquet(folder / NEAR_FILE, index=False)


def read_near(folder: Path) -> pd.DataFrame:
    """The problems of a near stage: problem_key, question, likeness."""
    return pd.read_parquet(folder / NEAR_FILE)


def tier_questions(near: Near) -> list[Question]:
    """The questions of the tiers that are named. Raises ConfigProblems when the benchmark has no such tier."""
    tiers = read_tiers(near.benchmark)
    known = list(dict.fromkeys(tiers.values()))
    unknown = [tier for tier in near.tiers if tier not in known]
    if unknown:
        raise ConfigProblems(
            [
                f"category.near.tiers: given {tier!r}; benchmark {near.benchmark.name} has: {', '.join(known)}"
                f"{did_you_mean(tier, known)}"
                for tier in unknown
            ]
        )
    return [question for question in read_questions(near.benchmark) if tiers[question.id] in near.tiers]


def _nearest(alike: "np.ndarray", near: Near) -> list[int]:
    """Rows in the order of the corpus; of equally alike problems the earlier one is taken."""
    first = (-alike).argsort(axis=0, kind="stable")[: near.per_question]
    return sorted({int(row) for row in first.ravel()})


def _farthest(alike: "np.ndarray", near: Near) -> list[int]:
    order = alike.max(axis=1).argsort(kind="stable")
    return sorted(int(row) for row in order[: near.per_question * alike.shape[1]])
