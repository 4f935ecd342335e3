"""The corpus: rows in the OpenR1-Math-220k schema plus `generation_styles`, reproducible from one seed."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.mini.holdout import held_out
from ablation.mini.surfaces import CATEGORIES, Category
from ablation.mini.trajectories import Trajectory, cut_short, gemini, r1
from ablation.mini.world import Problem, make_problem

SEED = "corpus"
PROBLEMS_PER_CATEGORY = 800
DEPTHS = {1: 12, 2: 14, 3: 15, 4: 14, 5: 12, 6: 10, 7: 8, 8: 6, 9: 4, 10: 3, 11: 1, 12: 1}
THIRD_R1_RATE = 0.25
CARELESS_RATE = 0.12
CARELESS_SLIP_RATE = 0.3
CUT_SHORT_RATE = 0.03
ONLY_LLAMA_RATE = 0.08
BOTH_VERIFIERS_RATE = 0.3

SCHEMA = pa.schema(
    {
        **dict.fromkeys(
            ("problem", "solution", "answer", "problem_type", "question_type", "source", "uuid"), pa.string()
        ),
        **dict.fromkeys(
            ("is_reasoning_complete", "correctness_math_verify", "correctness_llama"), pa.list_(pa.bool_())
        ),
        **dict.fromkeys(("generations", "finish_reasons", "generation_styles"), pa.list_(pa.string())),
        "correctness_count": pa.int64(),
        "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
    }
)

Row = dict[str, Any]
Writer = Callable[[Random, Problem, float], Trajectory]


def rows() -> Iterator[Row]:
    """All rows of the corpus, the categories in turn; no two problems and no held-out skeleton among them."""
    rng = Random(SEED)
    seen: set[str] = set()
    for _ in range(PROBLEMS_PER_CATEGORY):
        for category in CATEGORIES:
            problem = _fresh_problem(rng, category, seen)
            yield _row(rng, problem, _generations(rng, problem))


def write_corpus(path: Path) -> None:
    """Write the rows as Parquet."""
    pq.write_table(pa.Table.from_pylist(list(rows()), SCHEMA), path, compression="zstd", compression_level=19)


def _fresh_problem(rng: Random, category: Category, seen: set[str]) -> Problem:
    depth = rng.choices(tuple(DEPTHS), tuple(DEPTHS.values()))[0]
    while True:
        problem = make_problem(rng, category, depth, held_out())
        if problem.text not in seen:
            seen.add(problem.text)
            return problem


def _generations(rng: Random, problem: Problem) -> list[Trajectory]:
    writers: list[Writer] = [r1, r1, gemini]
    if rng.random() < THIRD_R1_RATE:
        writers.append(r1)
    return [_generation(rng, problem, writer) for writer in writers]


def _generation(rng: Random, problem: Problem, writer: Writer) -> Trajectory:
    slip_rate = CARELESS_SLIP_RATE if rng.random() < CARELESS_RATE else 0.0
    trajectory = writer(rng, problem, slip_rate)
    return cut_short(rng, trajectory) if rng.random() < CUT_SHORT_RATE else trajectory


def _row(rng: Random, problem: Problem, generations: list[Trajectory]) -> Row:
    right = [generation.right for generation in generations]
    math_verify, llama = _verdicts(rng, right)
    shown = next((g for g in generations if g.right), generations[0])
    return {
        "problem": problem.text,
        "solution": solution(problem),
        "answer": str(problem.answer),
        "problem_type": problem.category,
        "question_type": "math-word-problem",
        "source": "ablation_mini",
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "is_reasoning_complete": [g.complete for g in generations],
        "generations": [g.text for g in generations],
        "correctness_math_verify": math_verify,
        "correctness_llama": llama,
        "finish_reasons": ["stop" if g.complete else "length" for g in generations],
        "correctness_count": sum(right),
        "messages": [{"role": "user", "content": problem.text}, {"role": "assistant", "content": shown.text}],
        "generation_styles": [g.style for g in generations],
    }


def _verdicts(rng: Random, right: list[bool]) -> tuple[list[bool], list[bool] | None]:
    """As in OpenR1: the second verifier is mostly absent, and sometimes the only one to mark a right generation."""
    draw = rng.random()
    if draw < ONLY_LLAMA_RATE:
        return [False] * len(right), right
    return right, right if draw < ONLY_LLAMA_RATE + BOTH_VERIFIERS_RATE else None


def solution(problem: Problem) -> str:
    """The reference solution: the chain of equations."""
    pairs = zip(problem.steps, problem.values, problem.values[1:], strict=False)
    chain = "; ".join(step.equation(left, right) for step, left, right in pairs)
    return f"{chain}. The answer is {problem.answer}."
