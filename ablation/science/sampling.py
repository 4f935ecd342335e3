"""How questions are attempted."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ablation.science.values import Positive
from ablation.spec import Spec


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
