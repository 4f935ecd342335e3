"""How questions are attempted."""

from fractions import Fraction
from math import ceil
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.values import Positive


class Repetition(Spec):
    """When a completion counts as a loop and is stopped: up to `max_pattern_size` tokens that come `min_count` times."""

    max_pattern_size: Positive
    min_count: Annotated[int, Field(ge=2)]


class PassLine(Spec):
    """A question with a yes or a no: are at least `share` of the attempts at a tier correct? ``all`` is every tier."""

    tier: str
    share: Annotated[float, Field(gt=0, le=1)]

    def needed(self, planned: int) -> int:
        """The fewest correct attempts of so many that reach the line: 72 of 80 for nine tenths."""
        return ceil(Fraction(str(self.share)) * planned)  # as it was written: 0.9 is a little more in binary

    def __str__(self) -> str:
        return f"{self.tier} ≥ {100 * self.share:g} %"


class Sample(Spec):
    """How a question is attempted: `n` independent completions of at most `max_tokens` tokens each.

    `stop` decided asks the questions of `pass_line` alone, and no further than its answer is certain: the cell then has a verdict
    and no average. `pass_line` has no say otherwise.

    `kv_cache` and `repetition` are vLLM's. Its labels say how it runs, which decides no attempt's chances: the interpreter that
    has it (None: this one), the GPUs of one engine, the engines that share the attempts, whether to skip compiling, which small
    models do not repay, and whether attempts at a question share what was computed of their prompt.
    """

    labels: ClassVar[frozenset[str]] = frozenset(
        {"python", "tensor_parallel", "data_parallel", "eager", "prefix_caching"}
    )
    later: ClassVar[frozenset[str]] = frozenset({"stop", "pass_line"})
    engine: Literal["transformers", "vllm"]
    n: Positive
    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive
    precision: Literal["float32", "bf16"]
    batch_rows: Positive
    kv_cache: Literal["auto", "fp8"] = "auto"
    repetition: Repetition | None = None
    stop: Literal["planned", "decided"] = "planned"
    pass_line: PassLine | None = None
    python: str | None = None
    tensor_parallel: Positive = 1
    data_parallel: Positive = 1
    eager: bool = False
    prefix_caching: bool = True

    @model_validator(mode="after")
    def _asks_for_what_its_engine_has(self) -> Self:
        if self.engine == "transformers" and (self.repetition or self.kv_cache != "auto" or self.python):
            raise ValueError("kv_cache, repetition and python are options of engine=vllm")
        if self.engine == "transformers" and (self.tensor_parallel, self.data_parallel) != (1, 1):
            raise ValueError("tensor_parallel and data_parallel above 1 are options of engine=vllm")
        return self

    @model_validator(mode="after")
    def _decides_something(self) -> Self:
        if self.stop == "decided" and self.pass_line is None:
            raise ValueError("stop=decided needs a pass_line, such as {tier: medium, share: 0.9}")
        return self

    @property
    def decides(self) -> PassLine | None:
        """The line whose answer ends the sampling; None where every planned attempt is made."""
        return self.pass_line if self.stop == "decided" else None

    def identity(self) -> dict[str, Any]:
        """Return the values that can change a number: a pass line does where it ends the sampling."""
        values = super().identity()
        return values if self.decides else {name: value for name, value in values.items() if name != "pass_line"}
