"""Written solutions in two styles: `r1` spells out every step with checks and corrections, `gemini` is terse and merges steps."""

from dataclasses import dataclass
from random import Random

from ablation.mini.operations import LARGEST, Step
from ablation.mini.problems import Problem

OPENINGS = ("Okay, we start with {a}.", "Hmm, first we have {a}.", "Let me think: {a}.")
LINKS = ("", "Then ", "Next ", "Now ", "So ")
CHECKS = ("Check: {e}.", "Indeed {e}.")
CORRECTIONS = ("Wait, {e}.", "No, {e}.")
CLOSINGS = ("So the answer is {box}", "Therefore the answer is {box}", "Done: {box}")
TERSE_CLOSINGS = ("Answer {box}", "Hence {box}")
SLIPS = (-10, -2, -1, 1, 2, 10)
THOROUGHNESS = (0.0, 0.1, 0.4)
CORRECTION_RATE = 0.04


@dataclass(frozen=True, slots=True)
class WrittenSolution:
    """A solution as a model might have written it: an entry of a corpus row's `generations`."""

    text: str
    style: str
    """`r1` or `gemini`."""
    right: bool
    """True where it ends in the problem's answer."""
    complete: bool = True
    """False where a length limit cut it short."""


def boxed(value: int) -> str:
    """Return the value as a final answer is marked: `\\boxed{42}`."""
    return f"\\boxed{{{value}}}"


def write_r1(rng: Random, problem: Problem, slip_rate: float = 0.0) -> WrittenSolution:
    """Write every step as an equation; the share of checked steps is drawn once a generation.

    `slip_rate` is the probability that a step gets a wrong result.
    """
    values = _walk(rng, problem, slip_rate)
    check_rate = rng.choice(THOROUGHNESS)
    sentences = [rng.choice(OPENINGS).format(a=values[0])]
    for step, left, right in zip(problem.steps, values, values[1:], strict=False):
        sentences += _r1_step(rng, step, left, right, check_rate)
    sentences.append(rng.choice(CLOSINGS).format(box=boxed(values[-1])))
    return WrittenSolution(" ".join(sentences), "r1", values[-1] == problem.answer)


def _r1_step(rng: Random, step: Step, left: int, right: int, check_rate: float) -> list[str]:
    """Return the sentences of one step: its equation, at times a wrong one and its correction, at times a check."""
    link, equation = rng.choice(LINKS), step.equation(left, right)
    check = step.check(left, right)
    if rng.random() < CORRECTION_RATE:
        sentences = [f"{link}{step.equation(left, _slip(rng, right))}.", rng.choice(CORRECTIONS).format(e=equation)]
    else:
        sentences = [f"{link}{equation}."]
    if check and rng.random() < check_rate:
        sentences.append(rng.choice(CHECKS).format(e=check))
    return sentences


def write_gemini(rng: Random, problem: Problem, slip_rate: float = 0.0) -> WrittenSolution:
    """Write two or three steps to an equation, evaluated from left to right, without the values between.

    `slip_rate` is the probability that a step gets a wrong result.
    """
    values = _walk(rng, problem, slip_rate)
    sentences: list[str] = []
    i = 0
    while i < problem.depth:
        j = min(i + rng.choice((2, 2, 3)), problem.depth)
        symbols = " ".join(step.symbol for step in problem.steps[i:j])
        sentences.append(f"{values[i]} {symbols} = {values[j]}.")
        i = j
    sentences.append(rng.choice(TERSE_CLOSINGS).format(box=boxed(values[-1])))
    return WrittenSolution(" ".join(sentences), "gemini", values[-1] == problem.answer)


def cut_short(rng: Random, generation: WrittenSolution) -> WrittenSolution:
    """Return the generation as a length limit would leave it: without its end, hence without an answer."""
    words = generation.text.split()
    length = rng.randint(len(words) // 3, len(words) - 3)
    return WrittenSolution(" ".join(words[:length]), generation.style, right=False, complete=False)


def _walk(rng: Random, problem: Problem, slip_rate: float) -> tuple[int, ...]:
    """Return the chain's values, each step slipping with `slip_rate`; later steps go on from the slipped value."""
    values = [problem.values[0]]
    for step in problem.steps:
        value = step.result(values[-1])
        if value is None:  # a slip has led where the step is not defined: the writer passes over it
            value = values[-1]
        values.append(_slip(rng, value) if rng.random() < slip_rate else value)
    return tuple(values)


def _slip(rng: Random, value: int) -> int:
    """Return a wrong result near `value`, within the whole numbers 0..99."""
    return rng.choice([value + slip for slip in SLIPS if 0 <= value + slip <= LARGEST])
