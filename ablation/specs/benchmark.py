"""What is asked: questions with reference answers, in tiers."""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.source import Source
from ablation.specs.values import Name, Positive


class BenchmarkColumns(Spec):
    """Which columns of a table hold a question. `id` None numbers the rows from 0.

    With `answer_after`, the answer is what stands behind the last such mark in its column (GSM8K: ``####``); `tier` names the
    column that divides the questions where no file of tiers does.
    """

    id: str | None = "id"
    problem: str = "problem"
    answer: str = "answer"
    answer_after: str | None = None
    tier: str | None = None


class Steps(Spec):
    """Tiers by the number of steps of a question's worked solution; a question that is in no tier is not asked.

    Each `mark` in `column` is a step: GSM8K writes ``<<48/2=24>>`` for each calculation. `tiers` maps a tier's name to the least
    and the most steps of its questions. A solution without a mark has no number of steps, rather than none. `per_tier` asks at
    most so many questions of each tier, chosen by the hash of their ids, so that fewer are among more; None asks all.
    """

    column: str
    mark: Annotated[str, Field(min_length=1)]
    tiers: Annotated[dict[Name, tuple[Positive, Positive]], Field(min_length=1)]
    per_tier: Positive | None = None

    @model_validator(mode="after")
    def _tiers_are_apart(self) -> Self:
        bounds = sorted(self.tiers.values())
        backwards = any(least > most for least, most in bounds)
        if backwards or any(most >= least for (_, most), (least, _) in pairwise(bounds)):
            raise ValueError(
                f"tiers={self.tiers}: give [least, most] steps of each, and no number of steps in two tiers"
            )
        return self

    def __hash__(self) -> int:
        """A mapping has none of its own."""
        return hash((self.column, self.mark, self.per_tier, *self.tiers.items()))


class Benchmark(Spec):
    """Questions with reference answers.

    `columns` None expects the schemas in which AIME is published. `answers`, a file that maps ids to answers, fills in and
    checks those of the source. `tiers` maps a tier's name to question ids (every question in exactly one), `steps` chooses and
    divides the questions by the length of their solutions; without both, the tiers come from ``columns.tier``, or are one.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    later: ClassVar[frozenset[str]] = frozenset({"steps"})
    name: Name
    source: Source
    columns: BenchmarkColumns | None = None
    answers: Source | None = None
    tiers: Source | None = None
    steps: Steps | None = None

    @model_validator(mode="after")
    def _one_division(self) -> Self:
        if self.tiers and self.steps:
            raise ValueError("tiers and steps both divide the questions: give one of them")
        return self

    def questions(self) -> dict[str, Any]:
        """The content that decides what is asked: a model that answers knows nothing of tiers and reference answers."""
        parts = {"columns": self.columns, "steps": self.steps}
        return {**self.source.identity(), **{name: part for name, part in parts.items() if part}}
