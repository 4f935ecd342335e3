"""The benchmark's candidate questions, generated first so that everything else can keep away from them."""

from functools import cache
from random import Random

from ablation.mini.problems import MAX_DEPTH, Problem, make_problem
from ablation.mini.wordings import PROBLEM_TYPES

CANDIDATE_SEED = "benchmark"
CANDIDATES_PER_DEPTH = 14


@cache
def candidates() -> tuple[Problem, ...]:
    """Return the pool from which the benchmark is chosen, by depth 1 to 12; a question's id is its index in it."""
    rng = Random(CANDIDATE_SEED)
    problems: list[Problem] = []
    skeletons: set[str] = set()
    for depth in range(1, MAX_DEPTH + 1):
        for i in range(CANDIDATES_PER_DEPTH):
            problem = make_problem(rng, PROBLEM_TYPES[i % len(PROBLEM_TYPES)], depth, skeletons)
            skeletons.add(problem.skeleton)
            problems.append(problem)
    return tuple(problems)


@cache
def held_out() -> frozenset[str]:
    """Return the skeletons that neither the corpus nor the base model's text may contain."""
    return frozenset(problem.skeleton for problem in candidates())
