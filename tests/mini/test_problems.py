"""The generator: chains that hold, words that are known, trajectories that say what they are flagged to say."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.data.benchmark.answers import last_boxed
from ablation.mini.generations import cut_short, write_gemini, write_r1
from ablation.mini.operations import LARGEST, OPERATIONS, Step
from ablation.mini.problems import MAX_DEPTH, make_problem, skeleton
from ablation.mini.wordings import PROBLEM_TYPES, ProblemType

SEEDS = st.integers(0, 10**6)
DEPTHS = st.integers(1, MAX_DEPTH)
EACH_PROBLEM_TYPE = pytest.mark.parametrize("problem_type", PROBLEM_TYPES, ids=lambda problem_type: problem_type.name)


@EACH_PROBLEM_TYPE
def test_every_phrase_belongs_to_an_operation_of_the_mix(problem_type: ProblemType) -> None:
    for wording in problem_type.wordings:
        assert set(wording.phrases) == set(problem_type.mix) <= set(OPERATIONS)


@EACH_PROBLEM_TYPE
@given(seed=SEEDS, depth=DEPTHS)
def test_values_follow_from_the_steps(problem_type: ProblemType, seed: int, depth: int) -> None:
    problem = make_problem(Random(seed), problem_type, depth)
    assert problem.depth == depth
    assert all(0 <= value <= LARGEST for value in problem.values)
    assert [step.result(v) for step, v in zip(problem.steps, problem.values, strict=False)] == list(problem.values[1:])
    assert make_problem(Random(seed), problem_type, depth) == problem


@given(left=st.integers(0, LARGEST), kind=st.sampled_from(sorted(OPERATIONS)), seed=SEEDS)
def test_inverse_operations_return_the_input(left: int, kind: str, seed: int) -> None:
    operation = OPERATIONS[kind]
    step = Step(kind, Random(seed).choice(operation.operands))
    result = step.result(left)
    if result is not None and operation.inverse:
        assert Step(operation.inverse, step.operand).result(result) == left


@given(seed=SEEDS, depth=DEPTHS, slip_rate=st.sampled_from([0.0, 0.5]))
def test_a_trajectory_is_right_exactly_when_it_ends_in_the_answer(seed: int, depth: int, slip_rate: float) -> None:
    rng = Random(seed)
    problem = make_problem(rng, rng.choice(PROBLEM_TYPES), depth)
    for writer in (write_r1, write_gemini):
        trajectory = writer(rng, problem, slip_rate)
        assert trajectory.right == (last_boxed(trajectory.text) == str(problem.answer))
        assert trajectory.right or slip_rate


@given(seed=SEEDS, depth=DEPTHS)
def test_a_trajectory_that_is_cut_short_has_no_answer(seed: int, depth: int) -> None:
    rng = Random(seed)
    cut = cut_short(rng, write_gemini(rng, make_problem(rng, rng.choice(PROBLEM_TYPES), depth)))
    assert not cut.complete
    assert not cut.right
    assert last_boxed(cut.text) is None


def test_renumbered_twins_have_one_skeleton() -> None:
    assert skeleton("Let a = 7. b = a + 12.") == skeleton("Let a = 19. b = a + 3.")
    assert skeleton("Let a = 7. b = a + 12.") != skeleton("Let a = 7. b = a - 12.")


def test_banned_skeletons_are_avoided() -> None:
    banned = {make_problem(Random(0), PROBLEM_TYPES[0], 1).skeleton}
    assert make_problem(Random(0), PROBLEM_TYPES[0], 1, banned).skeleton not in banned
