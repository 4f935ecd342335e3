"""The values a cell is made of: the four factors, the seeds, and the science that is held fixed around them."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.spec import Spec

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


class Category(Spec):
    """Factor C. `problem_types` None keeps every row; `balanced` draws evenly from the listed types."""

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    problem_types: tuple[str, ...] | None
    balanced: bool = False


class Count(Spec):
    """Factor N, trajectories to train on. 0 is the untrained base model."""

    size: Annotated[int, Field(ge=0)]


class Length(Spec):
    """Factor L: the whole pool (`normal`), or its `band` shortest or longest trajectories by tokens.

    `band` is a number of trajectories (int) or a share of the pool (float up to 0.5,
    beyond which short and long would hold the same trajectories).
    """

    name: Literal["short", "normal", "long"]
    band: Positive | Annotated[float, Field(gt=0, le=0.5)]

    def canonical(self) -> dict[str, Any]:
        """`normal` has no band, so the band cannot change its numbers."""
        return {"name": self.name} if self.name == "normal" else super().canonical()


class Style(Spec):
    """Factor S: which model wrote the trajectories, as named by the corpus."""

    name: Name


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


class Corpus(Spec):
    """A table of problems with generations in the OpenR1-Math-220k schema (or s1K's, by `reader`).

    `keep` = `right` drops the generations that are wrong or not complete; `all` keeps every one.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name"})
    name: Name
    reader: Literal["openr1", "s1k"]
    keep: Literal["right", "all"]
    source: Source


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


class Model(Spec):
    """The base model: weights, tokenizer and chat template. `parameters` is its size, for a plan made before it is here."""

    labels: ClassVar[frozenset[str]] = frozenset({"name", "parameters"})
    name: Name
    source: Source
    trust_remote_code: bool = False
    parameters: Positive | None = None


class Lora(Spec):
    """Adapter shape (Hu et al. 2021): rank, scaling numerator alpha, dropout, and the modules that are adapted."""

    rank: Positive
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: str | tuple[str, ...]


class Train(Spec):
    """The recipe. `batch` is examples per optimizer update, whatever the number of processes."""

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
    epochs: Positive
    block_tokens: Positive
    precision: Literal["float32", "bf16"]

    @model_validator(mode="after")
    def _adapter_is_described(self) -> Self:
        if (self.method == "lora") != (self.lora is not None):
            raise ValueError(
                f"method={self.method!r} and lora={self.lora!r}: describe the adapter with method=lora, and only then"
            )
        return self

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
        """Rows that go through the model at once in each process; for what is not `indivisible`."""
        share = self.batch // processes
        return min(micro_batch or share, share)

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
