"""The four factors, C, N, L and S, and the seeds."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec, plain
from ablation.specs.benchmark import Benchmark
from ablation.specs.source import Source
from ablation.specs.values import Name, Positive, SeedInt, Share


class Embedding(Spec):
    """How the likeness of two problems is measured: weighted words (`tfidf`, no download), or a `model`'s mean last state."""

    kind: Literal["tfidf", "model"]
    source: Source | None = None

    @model_validator(mode="after")
    def _model_has_a_source(self) -> Self:
        if (self.kind == "model") != (self.source is not None):
            raise ValueError(
                f"kind={self.kind!r} and source={self.source!r}: give a source with kind=model, and only then"
            )
        return self


class Near(Spec):
    """A set of problems by their likeness to the questions of a benchmark's `tiers`.

    `nearest`: for each question the `per_question` most alike, a problem once. `farthest`: as many problems, those whose most
    alike question is least alike.
    """

    benchmark: Benchmark
    tiers: Annotated[tuple[str, ...], Field(min_length=1)]
    per_question: Positive
    side: Literal["nearest", "farthest"]
    embedding: Embedding


class Category(Spec):
    """Factor C. `problem_types` None keeps every row; `balanced` draws evenly from the listed types.

    `near` keeps the problems that are like, or unlike, a benchmark's questions.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    problem_types: tuple[str, ...] | None
    balanced: bool = False
    near: Near | None = None


class Count(Spec):
    """Factor N, trajectories to train on. 0 is the untrained base model."""

    size: Annotated[int, Field(ge=0)]


class Across(Spec):
    """The levels whose lengths are matched: each combination of one of `styles` and one of `problem_types`.

    An empty list means the cell's own level, so that dimension is not matched across.
    """

    styles: tuple[str, ...] = ()
    problem_types: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _across_something(self) -> Self:
        if not (self.styles or self.problem_types):
            raise ValueError("name the styles, the problem_types, or both, whose lengths are to be matched")
        return self


class Length(Spec):
    """Factor L, by tokens: the whole pool (`normal`), a band of it, or the part whose lengths other levels have too.

    `short` and `long` are the `band` shortest or longest: a number of trajectories (int) or a share of the pool (float up to
    0.5, beyond which short and long would hold the same trajectories). `quantiles` is the share from `low` to `high`.
    `matched` draws the same lengths, to within `tolerance` (0.1: a tenth), in every level of `across`.
    """

    name: Literal["short", "normal", "long", "quantiles", "matched"]
    band: Positive | Annotated[float, Field(gt=0, le=0.5)]
    low: Annotated[float, Field(ge=0, lt=1)] | None = None
    high: Annotated[float, Field(gt=0, le=1)] | None = None
    across: Across | None = None
    tolerance: Share = 0.1

    @model_validator(mode="after")
    def _is_described(self) -> Self:
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
        """The level as it stands in names and tables: ``q25-50`` for the second quarter."""
        if self.low is None or self.high is None:
            return self.name
        return f"q{100 * self.low:g}-{100 * self.high:g}"

    def identity(self) -> dict[str, Any]:
        """Only what the named level uses: `normal` has no band, so the band cannot change its numbers."""
        return {
            "name": self.name,
            **{field: plain(getattr(self, field)) for field in _LENGTH_FIELDS.get(self.name, ())},
        }


_LENGTH_FIELDS: dict[str, tuple[str, ...]] = {
    "short": ("band",),
    "long": ("band",),
    "normal": (),
    "quantiles": ("low", "high"),
    "matched": ("across", "tolerance"),
}


class Style(Spec):
    """Factor S: which model wrote the trajectories, as named by the corpus.

    `paired` lists the styles of a comparison, this one among them: the cell then draws from the problems that have a trajectory
    in every one of them, in an order of problems, so that cells of these styles train on the same questions.
    """

    name: Name
    paired: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _paired_with_itself(self) -> Self:
        if self.paired and self.name not in self.paired:
            raise ValueError(f"paired={list(self.paired)} must hold the style itself, {self.name!r}")
        return self

    def identity(self) -> dict[str, Any]:
        """The order in which the paired styles are listed changes nothing."""
        return {"name": self.name, "paired": sorted(self.paired)}


class Seeds(Spec):
    """`data` draws the trajectories, `train` orders batches and initialises adapters, `sample` seeds the attempts."""

    data: SeedInt
    train: SeedInt
    sample: SeedInt

    @property
    def replicate(self) -> int | None:
        """The common value of the three, or None when they were set apart."""
        return self.data if self.data == self.train == self.sample else None

    @property
    def slug(self) -> str:
        """``s0`` for a common value, else all three: ``d1t0s0``."""
        return f"s{self.data}" if self.replicate is not None else f"d{self.data}t{self.train}s{self.sample}"
