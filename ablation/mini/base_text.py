"""The base model's training text: facts, direct answers in chat, worked solutions outside chat.

It meets every word, every fact and short worked chains, but never a written-out step inside the chat format.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from ablation.mini import generations
from ablation.mini.generations import boxed
from ablation.mini.operations import LARGEST, OPERATIONS, Step
from ablation.mini.problems import Problem, make_problem
from ablation.mini.tokenizer import ASSISTANT, END, USER
from ablation.mini.wordings import PROBLEM_TYPES

Weighted = TypeVar("Weighted", str, int)

SHARES = {"facts": 10, "direct": 20, "worked": 70}
DIRECT_DEPTHS = {1: 60, 2: 12, 3: 8, 4: 6, 5: 4, 6: 3, 8: 3, 10: 2, 12: 2}
WORKED_DEPTHS = {1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 2, 8: 2}
FACTS_PER_DOCUMENT = 8


@dataclass(frozen=True, slots=True)
class Document:
    """One training text. A problem's numbers cannot be predicted, so the loss is taken on `target` only."""

    kind: str
    """`facts`, `direct` or `worked`."""
    context: str
    """The problem; empty for facts."""
    target: str
    """The facts, the answer or the solution, up to the end token."""


INTROS = ("Solution:", "Worked:", "In words:", "Table: |", "Notes:", "Answer:", "Hence:")
STEPS = (
    "{left} {symbol} = {right};",
    "{left} {symbol} gives {right},",
    "{right} is {left} {symbol}.",
    "{symbol} | {right} |",
)
RESULTS = ("result {value}.", "hence {value}.", "therefore answer {value}.", "done {value}.")
ONE_FORM_RATE = 0.5
NOTES_RATE = 0.3
NOTED_CHECK_RATE = 0.2


def make_document(rng: Random, banned: Collection[str] = ()) -> Document:
    """Return a random document; no problem in it has a skeleton in `banned`."""
    kind = _draw(rng, SHARES)
    if kind == "facts":
        return Document(kind, "", " ".join(_fact(rng) for _ in range(FACTS_PER_DOCUMENT)) + END)
    depth = _draw(rng, DIRECT_DEPTHS if kind == "direct" else WORKED_DEPTHS)
    problem = make_problem(rng, rng.choice(PROBLEM_TYPES), depth, banned)
    if kind == "direct":
        return Document(kind, f"{USER}{problem.text}{ASSISTANT}", f"{boxed(problem.answer)}{END}")
    return Document(kind, problem.text, f" {_worked(rng, problem)}{END}")


def _draw(rng: Random, weights: dict[Weighted, int]) -> Weighted:
    """Draw a key by its weight."""
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


def _fact(rng: Random) -> str:
    """Return a random true equation with a full stop, such as `27 + 4 = 31.`"""
    while True:
        kind = rng.choice(tuple(OPERATIONS))
        step = Step(kind, rng.choice(OPERATIONS[kind].operands))
        left = rng.randint(0, LARGEST)
        right = step.result(left)
        if right is not None:
            return f"{step.equation(left, right)}."


def _worked(rng: Random, problem: Problem) -> str:
    """Return a worked solution; half of them keep to one form of step, the others change it from step to step."""
    if rng.random() < NOTES_RATE:
        return _notes(rng, problem)
    forms = (rng.choice(STEPS),) if rng.random() < ONE_FORM_RATE else STEPS
    sentences = [rng.choice(INTROS)]
    for step, left, right in _links(problem):
        sentences.append(rng.choice(forms).format(left=left, symbol=step.symbol, right=right))
    return " ".join([*sentences, rng.choice(RESULTS).format(value=problem.answer)])


def _notes(rng: Random, problem: Problem) -> str:
    """Return worked text in the words of the corpus's generations, but opened and closed in another way."""
    sentences = [rng.choice(INTROS)]
    if rng.random() < 0.5:
        sentences.append(rng.choice(generations.OPENINGS).format(a=problem.values[0]))
    for step, left, right in _links(problem):
        sentences.append(f"{rng.choice(generations.LINKS)}{step.equation(left, right)}.")
        check = step.check(left, right)
        if check and rng.random() < NOTED_CHECK_RATE:
            sentences.append(rng.choice(generations.CHECKS + generations.CORRECTIONS).format(e=check))
    return " ".join([*sentences, rng.choice(RESULTS).format(value=problem.answer)])


def _links(problem: Problem) -> Iterator[tuple[Step, int, int]]:
    """Yield each step with the values before and after it."""
    return zip(problem.steps, problem.values, problem.values[1:], strict=False)
