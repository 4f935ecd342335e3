"""The attempts at the questions: how many, by which engine, how long."""

from fractions import Fraction
from math import ceil
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.specs.base import Spec
from ablation.specs.values import Positive


class Repetition(Spec):
    """The rule by which a completion counts as a loop and is stopped."""

    max_pattern_size: Positive
    """Longest pattern that is looked for, in tokens."""
    min_count: Annotated[int, Field(ge=2)]
    """Times that a pattern comes in a row before the completion is stopped."""


class PassLine(Spec):
    """A question with a yes or a no: are at least `share` of the attempts at a tier correct?"""

    tier: str
    """Tier whose attempts count. ``all`` is every tier."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Least share of correct attempts that reaches the line."""

    def needed(self, planned: int) -> int:
        """Return the fewest correct attempts of `planned` that reach the line: 72 of 80 for a share of 0.9."""
        return ceil(Fraction(str(self.share)) * planned)  # through the text: the float 0.9 is a little more than 0.9

    def __str__(self) -> str:
        return f"{self.tier} ≥ {100 * self.share:g} %"


class Sample(Spec):
    """The attempts at a question: independent completions, each with a random stream of its own.

    The labels say how the attempts are run, which decides no attempt's chances.
    """

    labels: ClassVar[frozenset[str]] = frozenset(
        {"python", "tensor_parallel", "data_parallel", "eager", "prefix_caching"}
    )
    later: ClassVar[frozenset[str]] = frozenset({"stop", "pass_line"})
    engine: Literal["transformers", "vllm"]
    """Library that samples. ``vllm`` is for everything but small models."""
    n: Positive
    """Attempts at each question. Raising it samples only the attempts that are missing."""
    temperature: Annotated[float, Field(ge=0)]
    """Sampling temperature. 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)]
    """Share of the probability that tokens are drawn from. 1 draws from all of it."""
    max_tokens: Positive
    """Most new tokens of a completion."""
    precision: Literal["float32", "bf16"]
    """Number format of the model while it samples."""
    batch_rows: Positive
    """Attempts that are sampled at once by ``engine=transformers``. Lower it where memory runs out."""
    kv_cache: Literal["auto", "fp8"] = "auto"
    """Number format of vLLM's keys and values. ``auto`` is the model's, ``fp8`` takes half of the memory of bf16."""
    repetition: Repetition | None = None
    """Rule by which vLLM stops a completion that repeats itself. Null stops none."""
    stop: Literal["planned", "decided"] = "planned"
    """End of the sampling. It is after all planned attempts, or once pass_line is certainly reached or missed.

    A decided cell asks the questions of the pass line alone, and has a verdict but no average.
    """
    pass_line: PassLine | None = None
    """Line that ``stop=decided`` decides. It has no say otherwise."""
    python: str | None = None
    """Interpreter that has vLLM. Null is the one that runs the cell."""
    tensor_parallel: Positive = 1
    """GPUs of one vLLM engine. Raise it for a model that does not fit on one."""
    data_parallel: Positive = 1
    """Engines of vLLM that share the attempts, each with GPUs of its own."""
    eager: bool = False
    """Skip vLLM's compiling, which small models do not repay."""
    prefix_caching: bool = True
    """Let vLLM compute the prompt of a question once for all attempts at it."""

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
        """Line whose answer ends the sampling; None where every planned attempt is made."""
        return self.pass_line if self.stop == "decided" else None

    def identity(self) -> dict[str, Any]:
        """Return the values that can change a number: a pass line does where it ends the sampling."""
        values = super().identity()
        return values if self.decides else {name: value for name, value in values.items() if name != "pass_line"}
