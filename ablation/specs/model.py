"""The base model."""

from typing import ClassVar, Self

from pydantic import model_validator

from ablation.specs.base import Spec
from ablation.specs.source import Source
from ablation.specs.values import Name, Positive


class ModelShape(Spec):
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
    """The base model: weights, tokenizer and chat template. `parameters` and `shape` are for a plan made before it is here.

    `pad_token` is a token of the vocabulary for a tokenizer that names none; what rows are filled up with changes no number.
    `gguf` is a file of which `ablation prefetch` makes the folder ``source.path``; the folder's content is what identifies it.
    """

    labels: ClassVar[frozenset[str]] = frozenset({"name", "pad_token", "parameters", "shape", "gguf"})
    name: Name
    source: Source
    trust_remote_code: bool = False
    pad_token: str | None = None
    parameters: Positive | None = None
    shape: ModelShape | None = None
    gguf: str | None = None

    @model_validator(mode="after")
    def _gguf_goes_somewhere(self) -> Self:
        if self.gguf is not None and self.source.path is None:
            raise ValueError(f"gguf={self.gguf!r}: give source.path, the folder to be made of it")
        return self
