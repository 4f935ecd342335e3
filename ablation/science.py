"""The values a cell is made of: the four factors, the seeds, and the science that is held fixed around them."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.spec import Spec, plain

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
SeedInt = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Source(Spec):
    """Where data or weights come from: exactly one of a local `path` (`package:NAME/FILE` for a shipped one) or a `hub` id.

    Identity is the content: `sha256` of a local path (see ablation/source.py), or hub id, subset, split and revision.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"path"})
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    subset: str | None = None
    split: str | None = None
    sha256: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(f"give exactly one of path and hub, not path={self.path!r} and hub={self.hub!r}")
        if self.hub is not None and self.revision is None:
            raise ValueError(
                f"hub={self.hub!r} needs a revision; pin a commit before numbers are kept, since a branch moves"
            )
        return self


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

    def canonical(self) -> dict[str, Any]:
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

    def canonical(self) -> dict[str, Any]:
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

    def canonical(self) -> dict[str, Any]:
        """Only what is in use, and of the benchmarks only the questions."""
        content = super().canonical()
        unused = {"off": ("ngram", "share", "benchmarks"), "exact": ("ngram", "share")}.get(self.decontaminate, ())
        told = {name: value for name, value in content.items() if name not in unused}
        if "benchmarks" in told:
            told["benchmarks"] = [benchmark.questions() for benchmark in self.benchmarks]
        return told


class Corpus(Spec):
    """A table of problems with generations: in the schema of OpenR1-Math-220k or s1K-1.1, or described by `columns`.

    `keep` = `right` drops the generations that are wrong or not complete; `all` keeps every one. `problem_types` are the types
    that a row may have: None allows OpenR1-Math-220k's own for `openr1`, and any for the others.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    reader: Literal["openr1", "s1k", "columns"]
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
        return {name: value for name, value in self.canonical().items() if name != "filters"}


class Shape(Spec):
    """The architecture of a decoder, as its config.json has it; `keys` is the width of all key heads together."""

    layers: Positive
    hidden: Positive
    intermediate: Positive
    heads: Positive
    keys: Positive
    vocabulary: Positive
    tied: bool
    biased: bool


class Model(Spec):
    """The base model: weights, tokenizer and chat template. `parameters` and `shape` are for a plan made before it is here."""

    labels: ClassVar[frozenset[str]] = frozenset({"name", "parameters", "shape"})
    name: Name
    source: Source
    trust_remote_code: bool = False
    parameters: Positive | None = None
    shape: Shape | None = None


class Lora(Spec):
    """Adapter shape (Hu et al. 2021): rank, scaling numerator alpha, dropout, and the modules that are adapted."""

    rank: Positive
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: str | tuple[str, ...]


_BUDGETS = ("epochs", "updates", "tokens")
_LATER = (*_BUDGETS, "packing")


class Train(Spec):
    """The recipe. `batch` is examples per optimizer update, whatever the number of processes.

    The budget is one of `epochs`, `updates` and `tokens` (prompts included; it ends with the update that reaches it). `packing`
    puts the examples of an update end to end, each attending to itself alone: the same updates without padding, up to rounding.
    """

    method: Literal["full", "lora"]
    lora: Lora | None = None
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    schedule: Literal["cosine", "linear", "constant"]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    adam_beta1: Share
    adam_beta2: Share
    max_grad_norm: Annotated[float, Field(gt=0)]
    batch: Positive
    epochs: Positive | None = None
    updates: Positive | None = None
    tokens: Positive | None = None
    block_tokens: Positive
    precision: Literal["float32", "bf16"]
    packing: bool = False

    @model_validator(mode="after")
    def _adapter_is_described(self) -> Self:
        if (self.method == "lora") != (self.lora is not None):
            raise ValueError(
                f"method={self.method!r} and lora={self.lora!r}: describe the adapter with method=lora, and only then"
            )
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = {name: value for name in _BUDGETS if (value := getattr(self, name)) is not None}
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_BUDGETS)}, the others null, not {given or 'none'}")
        return self

    def canonical(self) -> dict[str, Any]:
        """Without the budgets that are not in use and without packing where there is none, as before there were such."""
        told = super().canonical()
        return {name: value for name, value in told.items() if name not in _LATER or value}

    def examples_seen(self, examples: int) -> float:
        """Examples that go through the model in a run on so many; with a budget of tokens, how many blocks of full length."""
        if self.tokens is not None:
            return self.tokens / self.block_tokens
        return self.epochs * examples if self.epochs else float(self.updates or 0) * min(self.batch, examples)

    def indivisible(self, micro_batch: int | None, processes: int = 1) -> str | None:
        """Why `processes` that take `micro_batch` rows at a time cannot make up the batch, or None when they can."""
        if self.batch % processes:
            return (
                f"cluster.nodes × cluster.tasks_per_node: given {processes} processes to train a cell; allowed: a divisor of "
                f"train.batch={self.batch}: {_divisors(self.batch)}"
            )
        share = self.batch // processes
        if micro_batch is None or micro_batch > share or share % micro_batch == 0:
            return None
        whole = (
            f"train.batch={self.batch}"
            if processes == 1
            else f"the {share} examples of train.batch that a process takes"
        )
        return f"cluster.micro_batch: given {micro_batch}; allowed: a divisor of {whole}: {_divisors(share)}"

    def rows(self, micro_batch: int | None, processes: int = 1) -> int:
        """Rows that go through the model at once in each process, for what is not `indivisible`; with packing, in the room of so
        many longest examples.
        """
        share = self.batch // processes
        return min(micro_batch or (1 if self.packing else share), share)

    def fewer_rows(self, rows: int, processes: int = 1) -> int | None:
        """The next smaller micro-batch, at most half of `rows`; None below one row."""
        fits = [size for size in _divisors(self.batch // processes) if size <= rows // 2]
        return max(fits, default=None)


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]


class Repetition(Spec):
    """When a completion counts as a loop and is stopped: up to `max_pattern_size` tokens that come `min_count` times."""

    max_pattern_size: Positive
    min_count: Annotated[int, Field(ge=2)]


class Sample(Spec):
    """How a question is attempted: `n` independent completions of at most `max_tokens` tokens each.

    `kv_cache` and `repetition` are vLLM's. Its labels say how it runs, which decides no attempt's chances: the interpreter that
    has it (None: this one), the GPUs of one engine, and whether to skip compiling, which small models do not repay.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"python", "tensor_parallel", "eager"})
    engine: Literal["transformers", "vllm"]
    n: Positive
    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive
    precision: Literal["float32", "bf16"]
    batch_rows: Positive
    kv_cache: Literal["auto", "fp8"] = "auto"
    repetition: Repetition | None = None
    python: str | None = None
    tensor_parallel: Positive = 1
    eager: bool = False

    @model_validator(mode="after")
    def _asks_for_what_its_engine_has(self) -> Self:
        if self.engine == "transformers" and (self.repetition or self.kv_cache != "auto" or self.python):
            raise ValueError("kv_cache, repetition and python are options of engine=vllm")
        return self
