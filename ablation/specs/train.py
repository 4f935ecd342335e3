"""How a model is trained."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.values import Positive, Share


class Lora(Spec):
    """Adapter shape (Hu et al. 2021): rank, scaling numerator alpha, dropout, and the modules that are adapted.

    `merged` adds the adapter to the base model's weights; else it answers beside them, which rounds otherwise, and is all that
    is written.
    """

    later: ClassVar[frozenset[str]] = frozenset({"merged"})
    rank: Positive
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: str | tuple[str, ...]
    merged: bool = True


_BUDGETS = ("epochs", "updates", "tokens")


class Train(Spec):
    """The recipe. `batch` is examples per optimizer update, whatever the number of processes.

    The budget is one of `epochs`, `updates` and `tokens` (prompts included; it ends with the update that reaches it). `packing`
    puts the examples of an update end to end, each attending to itself alone: the same updates without padding, up to rounding.
    A trajectory whose problem alone fills `block_tokens` has nothing to train: it is refused, or left out with
    `drop_untrainable`, which makes the effective N smaller than the cell's.
    """

    # `epochs` is as old as the store, and had always a value. It has a default since there are other budgets.
    later: ClassVar[frozenset[str]] = frozenset({*_BUDGETS, "packing", "drop_untrainable"})
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
    drop_untrainable: bool = False

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

    @property
    def leaves_adapter(self) -> bool:
        """True when what is written is an adapter, and the weights beside it are the base model's."""
        return self.lora is not None and not self.lora.merged

    def examples_seen(self, examples: int) -> float:
        """Examples that go through the model in a run on so many; with a budget of tokens, how many blocks of full length."""
        if self.tokens is not None:
            return self.tokens / self.block_tokens
        return self.epochs * examples if self.epochs else float(self.updates or 0) * min(self.batch, examples)

    def indivisible(self, micro_batch: int | None, processes: int = 1, degree: int = 1) -> str | None:
        """Why `processes` that take `micro_batch` rows at a time cannot make up the batch, or None when they can.

        `degree` of them work on the same examples.
        """
        groups = processes // degree
        if processes % degree or self.batch % groups:
            times = f"{degree} (cluster.sequence_parallel) times " if degree > 1 else ""
            return (
                f"cluster.nodes × cluster.tasks_per_node: given {processes} processes to train a cell; allowed: "
                f"{times}a divisor of train.batch={self.batch}: {[degree * size for size in _divisors(self.batch)]}"
            )
        share = self.batch // groups
        if micro_batch is None or micro_batch > share or share % micro_batch == 0:
            return None
        whole = (
            f"train.batch={self.batch}" if groups == 1 else f"the {share} examples of train.batch that a process takes"
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
