"""Problems of the embedded world: a start value and a chain of elementary steps, put into a category's words."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from ablation.mini.operations import LARGEST, OPERATIONS, Step
from ablation.mini.surfaces import LETTERS, Category, Surface

DEEPEST = 12
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Problem:
    """A worded problem with its chain; `values[i]` is the value before step i and `values[-1]` the answer."""

    category: str
    text: str
    steps: tuple[Step, ...]
    values: tuple[int, ...]

    @property
    def answer(self) -> int:
        return self.values[-1]

    @property
    def depth(self) -> int:
        """Number of elementary steps."""
        return len(self.steps)

    @property
    def skeleton(self) -> str:
        return skeleton(self.text)


def skeleton(text: str) -> str:
    """The text with every number masked: two problems are renumbered twins when their skeletons are equal."""
    return _NUMBER.sub("#", text)


def make_problem(rng: Random, category: Category, depth: int, banned: Collection[str] = ()) -> Problem:
    """A random problem of `depth` steps whose skeleton is not in `banned`."""
    while True:
        steps, values = _chain(rng, category, depth)
        text = _wording(rng, rng.choice(category.surfaces), steps, values[0])
        if skeleton(text) not in banned:
            return Problem(category.name, text, steps, values)


def _chain(rng: Random, category: Category, depth: int) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    steps: list[Step] = []
    values = [rng.randint(2, LARGEST - 1)]
    while len(steps) < depth:
        step, value = _step(rng, category, values[-1])
        steps.append(step)
        values.append(value)
    return tuple(steps), tuple(values)


def _step(rng: Random, category: Category, left: int) -> tuple[Step, int]:
    """A step of the category's mix that is defined at `left`; zero is avoided as it makes doubling idle."""
    kinds, weights = tuple(category.mix), tuple(category.mix.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        step = Step(kind, rng.choice(OPERATIONS[kind].operands))
        value = step.result(left)
        if value:
            return step, value


def _wording(rng: Random, surface: Surface, steps: tuple[Step, ...], start: int) -> str:
    slots = {name: rng.choice(fillers) for name, fillers in surface.slots.items()}
    sentences = [rng.choice(surface.openers).format(a=start, v=LETTERS[0], **slots)]
    for i, step in enumerate(steps):
        phrase = rng.choice(surface.phrases[step.kind])
        sentences.append(phrase.format(k=step.operand, u=LETTERS[i], v=LETTERS[i + 1], **slots))
    sentences.append(rng.choice(surface.questions).format(v=LETTERS[len(steps)], **slots))
    return " ".join(sentences)
