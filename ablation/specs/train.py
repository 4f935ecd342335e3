"""The recipe by which a model is trained."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.values import Positive, Share


class Lora(Spec):
    """The shape of an adapter (Hu et al. 2021)."""

    later: ClassVar[frozenset[str]] = frozenset({"merged"})
    rank: Positive
    """Rank of the adapter."""
    alpha: Positive
    """Numerator of the scaling: the adapter counts alpha / rank times."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Dropout of the adapter's inputs."""
    targets: str | tuple[str, ...]
    """Modules that are adapted: names, or ``all-linear``."""
    merged: bool = True
    """Add the adapter to the base model's weights. False keeps and writes it alone, which rounds otherwise."""


_BUDGETS = ("epochs", "updates", "tokens")


class Train(Spec):
    """The recipe. The budget is exactly one of `epochs`, `updates` and `tokens`."""

    # `epochs` is as old as the store, and had always a value. It has a default since there are other budgets.
    later: ClassVar[frozenset[str]] = frozenset({*_BUDGETS, "packing", "drop_untrainable"})
    method: Literal["full", "lora"]
    """Weights that are trained: all of them, or an adapter beside them."""
    lora: Lora | None = None
    """Shape of the adapter. Given with ``method=lora``, and only then."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    """Highest learning rate of AdamW."""
    schedule: Literal["cosine", "linear", "constant"]
    """Course of the learning rate after the warm-up."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of the updates over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW."""
    adam_beta1: Share
    """Decay of AdamW's first moment."""
    adam_beta2: Share
    """Decay of AdamW's second moment."""
    max_grad_norm: Annotated[float, Field(gt=0)]
    """Norm to which a larger gradient is clipped."""
    batch: Positive
    """Examples per optimizer update, whatever the number of processes."""
    epochs: Positive | None = None
    """Passes over the selection. One of the three budgets; the others are null."""
    updates: Positive | None = None
    """Optimizer updates. One of the three budgets; the others are null."""
    tokens: Positive | None = None
    """Tokens to train on, prompts included. The budget ends with the update that reaches it; the others are null."""
    block_tokens: Positive
    """Most tokens of an example, prompt included. Longer ones are cut, or left out by corpus.filters.too_long."""
    precision: Literal["float32", "bf16"]
    """Number format of the forward pass. Weights, gradients and moments are float32."""
    packing: bool = False
    """Put the examples of an update end to end, without padding. Each attends to itself alone: equal up to rounding."""
    drop_untrainable: bool = False
    """Leave out trajectories whose problem alone fills block_tokens. Else they are refused.

    The effective N is then smaller than the cell's.
    """

    @model_validator(mode="after")
    def _adapter_is_described(self) -> Self:
        if (self.method == "lora") != (self.lora is not None):
            raise ValueError(
                f"method={self.method!r} and lora={self.lora!r}: describe the adapter with method=lora, and only then"
            )
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        budgets = {name: value for name in _BUDGETS if (value := getattr(self, name)) is not None}
        if len(budgets) != 1:
            raise ValueError(f"give exactly one of {', '.join(_BUDGETS)}, the others null, not {budgets or 'none'}")
        return self

    @property
    def leaves_adapter(self) -> bool:
        """True when the stage writes an adapter, and the weights beside it are the base model's."""
        return self.lora is not None and not self.lora.merged

    def examples_seen(self, examples: int) -> float:
        """Return the examples that go through the model in a run on so many. A budget of tokens counts blocks of full length."""
        if self.tokens is not None:
            return self.tokens / self.block_tokens
        return self.epochs * examples if self.epochs else float(self.updates or 0) * min(self.batch, examples)

    def indivisible(self, micro_batch: int | None, processes: int = 1, degree: int = 1) -> str | None:
        """Return why `processes` that take `micro_batch` rows at a time cannot make up the batch; None when they can.

        `degree` of the processes work on the same examples.
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
        """Return the rows that go through the model at once in each process, for numbers that are not `indivisible`.

        With packing it is the room of so many longest examples.
        """
        share = self.batch // processes
        return min(micro_batch or (1 if self.packing else share), share)

    def fewer_rows(self, rows: int, processes: int = 1) -> int | None:
        """Return the next smaller micro-batch, at most half of `rows`; None below one row."""
        fits = [size for size in _divisors(self.batch // processes) if size <= rows // 2]
        return max(fits, default=None)


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]
