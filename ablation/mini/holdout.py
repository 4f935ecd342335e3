"""The benchmark's candidate questions, generated first so that everything else can keep away from them."""

from functools import cache
from random import Random

from ablation.mini.surfaces import CATEGORIES
from ablation.mini.world import DEEPEST, Problem, make_problem

SEED = "benchmark"
CANDIDATES_PER_DEPTH = 14


@cache
def candidates() -> tuple[Problem, ...]:
    """The pool from which the benchmark is chosen, by depth 1..12; a question's id is its place here."""
    rng = Random(SEED)
    found: list[Problem] = []
    taken: set[str] = set()
    for depth in range(1, DEEPEST + 1):
        for i in range(CANDIDATES_PER_DEPTH):
            problem = make_problem(rng, CATEGORIES[i % len(CATEGORIES)], depth, taken)
            taken.add(problem.skeleton)
            found.append(problem)
    return tuple(found)


@cache
def held_out() -> frozenset[str]:
    """Skeletons that neither the corpus nor the base model's text may contain."""
    return frozenset(problem.skeleton for problem in candidates())
