"""The four factors, C, N, L and S, and the seeds."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.benchmark import Benchmark
from ablation.specs.source import Source
from ablation.specs.values import Name, Positive, SeedInt, Share


class Embedding(Spec):
    """The measure by which two problems are alike."""

    kind: Literal["tfidf", "model"]
    """Measure of likeness. ``tfidf`` weighs words and needs no download, ``model`` is the mean of a model's last hidden state."""
    source: Source | None = None
    """Origin of the model. Given with ``kind=model``, and only then."""

    @model_validator(mode="after")
    def _model_has_a_source(self) -> Self:
        if (self.kind == "model") != (self.source is not None):
            raise ValueError(
                f"kind={self.kind!r} and source={self.source!r}: give a source with kind=model, and only then"
            )
        return self


class Near(Spec):
    """A set of problems by their likeness to the questions of a benchmark."""

    benchmark: Benchmark
    """Benchmark whose questions the problems are compared with."""
    tiers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tiers of the benchmark whose questions count."""
    per_question: Positive
    """Problems for each question. A problem that is picked for several questions is in the set once."""
    side: Literal["nearest", "farthest"]
    """Side of the ranking. ``nearest`` are the problems most alike, ``farthest`` as many that are least alike.

    A problem is least alike when even its most alike question is least alike.
    """
    embedding: Embedding
    """Measure by which two problems are alike."""


class Category(Spec):
    """Factor C, the kind of problems that a cell trains on."""

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    """Level of the category in names and tables."""
    problem_types: tuple[str, ...] | None
    """Types of problems in the category. Null keeps every row."""
    balanced: bool = False
    """Draw evenly from the listed types. Otherwise, each has its share of the pool."""
    near: Near | None = None
    """Keep only the problems that are like, or unlike, a benchmark's questions. Null keeps all."""


class Count(Spec):
    """Factor N, the number of trajectories."""

    size: Annotated[int, Field(ge=0)]
    """Trajectories to train on. 0 is the untrained base model."""


class Across(Spec):
    """The levels whose lengths are matched: each combination of one of `styles` and one of `problem_types`."""

    styles: tuple[str, ...] = ()
    """Styles whose lengths are matched. Empty is the cell's own style, so nothing is matched across styles."""
    problem_types: tuple[str, ...] = ()
    """Types whose lengths are matched. Empty is the cell's own category, so nothing is matched across categories."""

    @model_validator(mode="after")
    def _across_something(self) -> Self:
        if not (self.styles or self.problem_types):
            raise ValueError("name the styles, the problem_types, or both, whose lengths are to be matched")
        return self


class Length(Spec):
    """Factor L, by tokens: the whole pool, a band of it, or the part whose lengths other levels have too."""

    name: Literal["short", "normal", "long", "quantiles", "matched"]
    """Part of the pool. ``normal`` is all of it, ``short`` and ``long`` its ends, ``quantiles`` the part from low to high.

    ``matched`` draws the same lengths in every level of `across`.
    """
    band: Positive | Annotated[float, Field(gt=0, le=0.5)]
    """Size of the short or long part. A number of trajectories, or a share of the pool up to 0.5.

    Beyond 0.5, short and long would hold the same trajectories.
    """
    low: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Lower end of ``quantiles``, as a share of the pool ordered by length."""
    high: Annotated[float, Field(gt=0, le=1)] | None = None
    """Upper end of ``quantiles``, as a share of the pool ordered by length."""
    across: Across | None = None
    """Levels that ``matched`` gives the same lengths. Given with ``name=matched``, and only then."""
    tolerance: Share = 0.1
    """Largest difference of two matched lengths, as a share. 0.1 is a tenth."""

    @model_validator(mode="after")
    def _is_described(self) -> Self:
        # Each name takes its own bounds and no others: a bound that is ignored would look as if it mattered.
        bounds = (self.low, self.high)
        if (self.name == "quantiles") != (None not in bounds) or (self.name != "quantiles" and bounds != (None, None)):
            raise ValueError(
                f"name={self.name!r} with low={self.low} and high={self.high}: both with quantiles, and only then"
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        if (self.name == "matched") != (self.across is not None):
            raise ValueError(
                f"name={self.name!r} with across={self.across}: say across what with matched, and only then"
            )
        return self

    @property
    def level(self) -> str:
        """Level as it stands in names and tables: ``q25-50`` for the second quarter."""
        if self.low is None or self.high is None:
            return self.name
        return f"q{100 * self.low:g}-{100 * self.high:g}"

    def identity(self) -> dict[str, Any]:
        """Return only the fields that the named level uses: `normal` has no band, so a band cannot change its numbers."""
        return {"name": self.name, **{field: getattr(self, field) for field in _LENGTH_FIELDS.get(self.name, ())}}


# By level. A field that is not in use must not change a key.
_LENGTH_FIELDS: dict[str, tuple[str, ...]] = {
    "short": ("band",),
    "long": ("band",),
    "normal": (),
    "quantiles": ("low", "high"),
    "matched": ("across", "tolerance"),
}


class Style(Spec):
    """Factor S, the model that wrote the trajectories."""

    name: Name
    """Style as the corpus names it, such as ``r1``."""
    paired: tuple[str, ...] = ()
    """Styles that train on the same questions. They are those of a comparison, this one among them; empty pairs nothing.

    The cell draws from the problems that have a trajectory in every one of these styles, in an order of problems.
    """

    @model_validator(mode="after")
    def _paired_with_itself(self) -> Self:
        if self.paired and self.name not in self.paired:
            raise ValueError(f"paired={list(self.paired)} must hold the style itself, {self.name!r}")
        return self

    def identity(self) -> dict[str, Any]:
        """Return the paired styles in alphabetical order: the order in which they are listed changes nothing."""
        return {"name": self.name, "paired": sorted(self.paired)}


class Seeds(Spec):
    """The seeds of a cell, one for each stage that draws."""

    data: SeedInt
    """Seed that draws the trajectories."""
    train: SeedInt
    """Seed that orders batches and initialises adapters."""
    sample: SeedInt
    """Seed of the attempts."""

    @property
    def replicate(self) -> int | None:
        """Common value of the three, or None when they were set apart."""
        return self.data if self.data == self.train == self.sample else None

    @property
    def slug(self) -> str:
        """``s0`` for a common value, else all three: ``d1t0s0``."""
        return f"s{self.data}" if self.replicate is not None else f"d{self.data}t{self.train}s{self.sample}"
