"""The corpus: rows in the OpenR1-Math-220k schema plus `generation_styles`, reproducible from one seed."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.mini.candidates import held_out
from ablation.mini.generations import WrittenSolution, cut_short, write_gemini, write_r1
from ablation.mini.problems import Problem, make_problem
from ablation.mini.wordings import PROBLEM_TYPES, ProblemType

CORPUS_SEED = "corpus"
PROBLEMS_PER_CATEGORY = 800
DEPTH_WEIGHTS = {1: 12, 2: 14, 3: 15, 4: 14, 5: 12, 6: 10, 7: 8, 8: 6, 9: 4, 10: 3, 11: 1, 12: 1}
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

CorpusRow = dict[str, Any]
Writer = Callable[[Random, Problem, float], WrittenSolution]


def rows() -> Iterator[CorpusRow]:
    """Yield all rows of the corpus, the problem types in turn: no problem twice, and no held-out skeleton."""
    rng = Random(CORPUS_SEED)
    texts: set[str] = set()
    for _ in range(PROBLEMS_PER_CATEGORY):
        for problem_type in PROBLEM_TYPES:
            problem = _fresh_problem(rng, problem_type, texts)
            yield _row(rng, problem, _generations(rng, problem))


def write_corpus(path: Path) -> None:
    """Write the rows as Parquet, compressed with zstd."""
    pq.write_table(pa.Table.from_pylist(list(rows()), SCHEMA), path, compression="zstd", compression_level=19)


def _fresh_problem(rng: Random, problem_type: ProblemType, texts: set[str]) -> Problem:
    """Return a problem whose text is not in `texts`, and add it to them."""
    depth = rng.choices(tuple(DEPTH_WEIGHTS), tuple(DEPTH_WEIGHTS.values()))[0]
    while True:
        problem = make_problem(rng, problem_type, depth, held_out())
        if problem.text not in texts:
            texts.add(problem.text)
            return problem


def _generations(rng: Random, problem: Problem) -> list[WrittenSolution]:
    """Return two or three generations in style r1 and one in style gemini."""
    writers: list[Writer] = [write_r1, write_r1, write_gemini]
    if rng.random() < THIRD_R1_RATE:
        writers.append(write_r1)
    return [_generation(rng, problem, writer) for writer in writers]


def _generation(rng: Random, problem: Problem, writer: Writer) -> WrittenSolution:
    """Return one generation; a share of the writers is careless, and a share is cut short."""
    slip_rate = CARELESS_SLIP_RATE if rng.random() < CARELESS_RATE else 0.0
    trajectory = writer(rng, problem, slip_rate)
    return cut_short(rng, trajectory) if rng.random() < CUT_SHORT_RATE else trajectory


def _row(rng: Random, problem: Problem, generations: list[WrittenSolution]) -> CorpusRow:
    """Return one problem with its generations as a row of the schema."""
    right = [generation.right for generation in generations]
    math_verify, llama = _verdicts(rng, right)
    message = next((g for g in generations if g.right), generations[0])
    return {
        "problem": problem.text,
        "solution": solution(problem),
        "answer": str(problem.answer),
        "problem_type": problem.problem_type,
        "question_type": "math-word-problem",
        "source": "ablation_mini",
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "is_reasoning_complete": [g.complete for g in generations],
        "generations": [g.text for g in generations],
        "correctness_math_verify": math_verify,
        "correctness_llama": llama,
        "finish_reasons": ["stop" if g.complete else "length" for g in generations],
        "correctness_count": sum(right),
        "messages": [{"role": "user", "content": problem.text}, {"role": "assistant", "content": message.text}],
        "generation_styles": [g.style for g in generations],
    }


def _verdicts(rng: Random, right: list[bool]) -> tuple[list[bool], list[bool] | None]:
    """Return the verdicts of both verifiers, as in OpenR1.

    The second verifier is mostly absent (None), and sometimes the only one to mark a right generation.
    """
    draw = rng.random()
    if draw < ONLY_LLAMA_RATE:
        return [False] * len(right), right
    return right, right if draw < ONLY_LLAMA_RATE + BOTH_VERIFIERS_RATE else None


def solution(problem: Problem) -> str:
    """Return the reference solution: the chain of equations."""
    pairs = zip(problem.steps, problem.values, problem.values[1:], strict=False)
    chain = "; ".join(step.equation(left, right) for step, left, right in pairs)
    return f"{chain}. The answer is {problem.answer}."
