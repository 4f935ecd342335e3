"""Problems of the embedded world: a start value and a chain of elementary steps, put into the words of a problem type."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from ablation.mini.operations import LARGEST, OPERATIONS, Step
from ablation.mini.wordings import LETTERS, ProblemType, Wording

MAX_DEPTH = 12
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Problem:
    """A worded problem with its chain of steps."""

    problem_type: str
    """The name of its type, such as `Algebra`."""
    text: str
    steps: tuple[Step, ...]
    values: tuple[int, ...]
    """One more than there are steps: `values[i]` is the value before step i, the last one is the answer."""

    @property
    def answer(self) -> int:
        """The value after the last step."""
        return self.values[-1]

    @property
    def depth(self) -> int:
        """The number of elementary steps."""
        return len(self.steps)

    @property
    def skeleton(self) -> str:
        """The text with every number masked, as `skeleton` gives it."""
        return skeleton(self.text)


def skeleton(text: str) -> str:
    """Return the text with every number masked: two problems are renumbered twins when their skeletons are equal."""
    return _NUMBER.sub("#", text)


def make_problem(rng: Random, problem_type: ProblemType, depth: int, banned: Collection[str] = ()) -> Problem:
    """Return a random problem of `depth` steps whose skeleton is not in `banned`."""
    while True:
        steps, values = _chain(rng, problem_type, depth)
        text = _worded(rng, rng.choice(problem_type.wordings), steps, values[0])
        if skeleton(text) not in banned:
            return Problem(problem_type.name, text, steps, values)


def _chain(rng: Random, problem_type: ProblemType, depth: int) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    """Draw `depth` steps; return them and the `depth` + 1 values before, between and after them."""
    steps: list[Step] = []
    values = [rng.randint(2, LARGEST - 1)]
    while len(steps) < depth:
        step, value = _step(rng, problem_type, values[-1])
        steps.append(step)
        values.append(value)
    return tuple(steps), tuple(values)


def _step(rng: Random, problem_type: ProblemType, left: int) -> tuple[Step, int]:
    """Draw a step of the type's mix that is defined at `left`; return it with its result, which is never zero."""
    kinds, weights = tuple(problem_type.mix), tuple(problem_type.mix.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        step = Step(kind, rng.choice(OPERATIONS[kind].operands))
        value = step.result(left)
        if value:  # zero is drawn again, as it makes doubling idle
            return step, value


def _worded(rng: Random, wording: Wording, steps: tuple[Step, ...], start: int) -> str:
    """Return the problem as sentences: the opener, a phrase for each step, the question."""
    slots = {name: rng.choice(fillers) for name, fillers in wording.slots.items()}
    sentences = [rng.choice(wording.openers).format(a=start, v=LETTERS[0], **slots)]
    for i, step in enumerate(steps):
        phrase = rng.choice(wording.phrases[step.kind])
        sentences.append(phrase.format(k=step.operand, u=LETTERS[i], v=LETTERS[i + 1], **slots))
    sentences.append(rng.choice(wording.questions).format(v=LETTERS[len(steps)], **slots))
    return " ".join(sentences)
