"""The corpus that trajectories are drawn from, and what of it is not used."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.benchmark import Benchmark
from ablation.specs.source import Source
from ablation.specs.values import Name


class Texts(Spec):
    """Where one style's trajectories stand in a row.

    `text`: a column with one text or a list of them, or several columns that are joined by a blank line. `right`: a column of
    booleans, or of texts that say `right_is` when the trajectory is right; absent means all are right. `complete`: booleans.
    """

    text: str | Annotated[tuple[str, ...], Field(min_length=1)]
    right: str | None = None
    right_is: str | None = None
    complete: str | None = None


class CorpusColumns(Spec):
    """What the columns of any table mean; `trajectories` maps each style to its texts. Rows without an `id` are numbered."""

    problem: str
    id: str | None = None
    problem_type: str | None = None
    source: str | None = None
    trajectories: Annotated[dict[Name, Texts], Field(min_length=1)]

    def __hash__(self) -> int:
        """A mapping has none of its own."""
        return hash((self.problem, self.id, self.problem_type, self.source, *self.trajectories.items()))


class Filters(Spec):
    """What of a corpus is not used, beside generations that are wrong. Nothing is filtered by default.

    `duplicates` drop: one of several trajectories that are the same text to the same problem, or share an id. `decontaminate`:
    `exact` drops problems whose normalised text is a question of `benchmarks`; `ngrams` also those that share with a question at
    least `share` of the `ngram`-word sequences of the shorter one. `benchmarks` is filled in at launch with those of the sweep.
    `too_long` drop: what exceeds train.block_tokens, instead of cutting it. `per_problem`: at most one trajectory of each style
    to a problem: the first in the corpus's order, or the shortest or longest of them.
    """

    duplicates: Literal["keep", "drop"] = "keep"
    decontaminate: Literal["off", "exact", "ngrams"] = "off"
    ngram: Annotated[int, Field(ge=4)] = 8
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    benchmarks: tuple[Benchmark, ...] = ()
    too_long: Literal["keep", "drop"] = "keep"
    per_problem: Literal["all", "first", "shortest", "longest"] = "all"

    def identity(self) -> dict[str, Any]:
        """Only what is in use, and of the benchmarks only the questions."""
        content = super().identity()
        unused = {"off": ("ngram", "share", "benchmarks"), "exact": ("ngram", "share")}.get(self.decontaminate, ())
        told = {name: value for name, value in content.items() if name not in unused}
        if "benchmarks" in told:
            told["benchmarks"] = [benchmark.questions() for benchmark in self.benchmarks]
        return told


class Corpus(Spec):
    """A table of problems with generations: in the schema of OpenR1-Math-220k, s1K-1.1 or GSM8K, or described by `columns`.

    `keep` = `right` drops the generations that are wrong or not complete; `all` keeps every one. `problem_types` are the types
    that a row may have: None allows OpenR1-Math-220k's own for `openr1`, and any for the others.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "both_styles"})
    name: Name
    both_styles: tuple[str, ...] = ()
    reader: Literal["openr1", "s1k", "gsm8k", "columns"]
    keep: Literal["right", "all"]
    source: Source
    columns: CorpusColumns | None = None
    problem_types: tuple[str, ...] | None = None
    filters: Filters = Filters()

    @model_validator(mode="after")
    def _columns_are_described(self) -> Self:
        if (self.reader == "columns") != (self.columns is not None):
            raise ValueError(
                f"reader={self.reader!r}: describe the table by columns with reader=columns, and only then"
            )
        return self

    def content(self) -> dict[str, Any]:
        """The canonical form without the filters: what is read, whatever is then used of it."""
        return {name: value for name, value in self.identity().items() if name != "filters"}
