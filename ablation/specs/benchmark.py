"""The questions that are asked, with reference answers and tiers."""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.source import Source
from ablation.specs.values import FrozenDict, Name, Positive


class BenchmarkColumns(Spec):
    """The columns of a table of questions."""

    id: str | None = "id"
    """Column with the id of a question. Null numbers the rows from 0."""
    problem: str = "problem"
    """Column with the text of the question."""
    answer: str = "answer"
    """Column with the reference answer."""
    answer_after: str | None = None
    """Mark in front of the answer. The text behind the last such mark is the answer; GSM8K has ``####``."""
    tier: str | None = None
    """Column that divides the questions into tiers, where no file of tiers does."""


class Steps(Spec):
    """Tiers by the number of steps of a question's worked solution. A question that is in no tier is not asked.

    A solution without a mark has no number of steps, rather than none.
    """

    column: str
    """Column with the worked solution."""
    mark: Annotated[str, Field(min_length=1)]
    """Text that is counted as a step. GSM8K writes ``<<48/2=24>>`` for each calculation, so ``<<`` counts them."""
    tiers: Annotated[dict[Name, tuple[Positive, Positive]], Field(min_length=1), AfterValidator(FrozenDict)]
    """Least and most steps of the questions of each tier, by its name."""
    per_tier: Positive | None = None
    """Most questions of each tier. They are chosen by the hash of their ids, so fewer are among more; null asks all."""

    @model_validator(mode="after")
    def _tiers_are_apart(self) -> Self:
        bounds = sorted(self.tiers.values())
        backwards = any(least > most for least, most in bounds)
        if backwards or any(most >= least for (_, most), (least, _) in pairwise(bounds)):
            raise ValueError(
                f"tiers={self.tiers}: give [least, most] steps of each, and no number of steps in two tiers"
            )
        return self


class Benchmark(Spec):
    """Questions with reference answers. Without `tiers` and `steps` the tiers come from ``columns.tier``, or are one."""

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    later: ClassVar[frozenset[str]] = frozenset({"steps"})
    name: Name
    """Name of the benchmark in tables."""
    source: Source
    """Origin of the questions."""
    columns: BenchmarkColumns | None = None
    """Columns of the table. Null expects the schemas in which AIME is published."""
    answers: Source | None = None
    """File that maps ids to reference answers. It fills in those of the source, and checks them."""
    tiers: Source | None = None
    """File that maps each tier to question ids. Every question is in exactly one tier."""
    steps: Steps | None = None
    """Tiers by the length of the worked solutions. They also choose the questions; give this or `tiers`."""

    @model_validator(mode="after")
    def _one_division(self) -> Self:
        if self.tiers and self.steps:
            raise ValueError("tiers and steps both divide the questions: give one of them")
        return self

    def questions(self) -> dict[str, Any]:
        """Return the content that decides what is asked: a model that answers sees no tier and no reference answer."""
        parts = {"columns": self.columns, "steps": self.steps}
        return {**self.source.identity(), **{name: part for name, part in parts.items() if part}}
