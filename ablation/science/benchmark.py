"""What is asked: questions with reference answers, in tiers."""

from typing import Any, ClassVar

from ablation.science.source import Source
from ablation.science.values import Name
from ablation.spec import Spec


class Columns(Spec):
    """Which columns of a table hold a question. `id` None numbers the rows from 0.

    With `answer_after`, the answer is what stands behind the last such mark in its column (GSM8K: ``####``); `tier` names the
    column that divides the questions where no file of tiers does.
    """

    id: str | None = "id"
    problem: str = "problem"
    answer: str = "answer"
    answer_after: str | None = None
    tier: str | None = None


class Benchmark(Spec):
    """Questions with reference answers.

    `columns` None expects the schemas in which AIME is published. `answers`, a file that maps ids to answers, fills in and
    checks those of the source. `tiers` maps a tier's name to question ids (every question in exactly one); None takes the
    tiers from ``columns.tier``, or one tier for all.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    source: Source
    columns: Columns | None = None
    answers: Source | None = None
    tiers: Source | None = None

    def questions(self) -> dict[str, Any]:
        """The content that decides what is asked: a model that answers knows nothing of tiers and reference answers."""
        told = self.source.canonical()
        return {**told, "columns": self.columns.canonical()} if self.columns else told
