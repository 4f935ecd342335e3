"""The corpus that trajectories are drawn from, and the filters that leave out a part of it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.benchmark import Benchmark
from ablation.specs.source import Source
from ablation.specs.values import FrozenDict, Name


class Texts(Spec):
    """The columns that hold one style's trajectories."""

    text: str | Annotated[tuple[str, ...], Field(min_length=1)]
    """Column with one text or a list of them. Several columns are joined by a blank line."""
    right: str | None = None
    """Column that says whether a trajectory is right. It holds booleans, or texts with `right_is`. Null: all are right."""
    right_is: str | None = None
    """Text in the column `right` of a trajectory that is right, such as ``Yes``."""
    complete: str | None = None
    """Column of booleans that says whether a trajectory came to its end. Null: all did."""


class CorpusColumns(Spec):
    """The columns of a table of problems."""

    problem: str
    """Column with the text of the problem."""
    id: str | None = None
    """Column with the id of a row. Null numbers the rows."""
    problem_type: str | None = None
    """Column with the type of the problem, which categories choose by."""
    source: str | None = None
    """Column with the origin of the problem."""
    trajectories: Annotated[dict[Name, Texts], Field(min_length=1), AfterValidator(FrozenDict)]
    """Columns of the trajectories, by style."""


class Filters(Spec):
    """The filters of a corpus, beside those for wrong generations. Nothing is filtered by default."""

    duplicates: Literal["keep", "drop"] = "keep"
    """Keep or drop repeated trajectories. They have one text and one problem, or one id; one of them stays."""
    decontaminate: Literal["off", "exact", "ngrams"] = "off"
    """Drop problems that are questions of `benchmarks`. ``exact`` compares normalised texts, ``ngrams`` also their words."""
    ngram: Annotated[int, Field(ge=4)] = 8
    """Words of the sequences that ``decontaminate=ngrams`` compares."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least share of common word sequences that drops a problem. It is a share of the shorter text's."""
    benchmarks: tuple[Benchmark, ...] = ()
    """Benchmarks whose questions are looked for. Those of the sweep are filled in at launch."""
    too_long: Literal["keep", "drop"] = "keep"
    """Drop trajectories longer than train.block_tokens, instead of cutting them."""
    per_problem: Literal["all", "first", "shortest", "longest"] = "all"
    """Trajectories of each style to a problem: all, or one. That one is the corpus's first, the shortest or the longest."""

    def identity(self) -> dict[str, Any]:
        """Return only the fields that are in use, and of the benchmarks only the questions."""
        values = super().identity()
        unused = {"off": ("ngram", "share", "benchmarks"), "exact": ("ngram", "share")}.get(self.decontaminate, ())
        used = {name: value for name, value in values.items() if name not in unused}
        if "benchmarks" in used:
            used["benchmarks"] = [benchmark.questions() for benchmark in self.benchmarks]
        return used


class Corpus(Spec):
    """A table of problems with generations: in the schema of OpenR1-Math-220k, s1K-1.1 or GSM8K, or described by `columns`."""

    labels: ClassVar[frozenset[str]] = frozenset({"name", "both_styles"})
    name: Name
    """Name of the corpus in folders and tables."""
    both_styles: tuple[str, ...] = ()
    """Styles that the corpus has of one question. Cells of these styles are paired unless the configuration says otherwise."""
    reader: Literal["openr1", "s1k", "gsm8k", "columns"]
    """Schema of the table. ``columns`` is any table that `columns` describes."""
    keep: Literal["right", "all"]
    """Generations that are used. ``right`` drops those that are wrong or not complete, ``all`` keeps every one."""
    source: Source
    """Origin of the table."""
    columns: CorpusColumns | None = None
    """Columns of the table. Given with ``reader=columns``, and only then."""
    problem_types: tuple[str, ...] | None = None
    """Types that a row may have. Null allows OpenR1-Math-220k's own for ``openr1``, and any for the others."""
    filters: Filters = Filters()
    """Filters that leave out a part of the corpus."""

    @model_validator(mode="after")
    def _columns_are_described(self) -> Self:
        if (self.reader == "columns") != (self.columns is not None):
            raise ValueError(
                f"reader={self.reader!r}: describe the table by columns with reader=columns, and only then"
            )
        return self

    def content(self) -> dict[str, Any]:
        """Return the identity without the filters: everything that is read, whatever is then used of it."""
        return {name: value for name, value in self.identity().items() if name != "filters"}
