"""The base model."""

from typing import ClassVar, Self

from pydantic import model_validator

from ablation.specs.base import Spec
from ablation.specs.source import Source
from ablation.specs.values import Name, Positive


class ModelShape(Spec):
    """The architecture of a decoder, as its config.json has it."""

    layers: Positive
    """Decoder layers."""
    hidden: Positive
    """Width of the hidden states."""
    intermediate: Positive
    """Width inside the feed-forward blocks."""
    heads: Positive
    """Query heads of each layer."""
    keys: Positive
    """Width of all key heads together."""
    vocabulary: Positive
    """Tokens of the vocabulary."""
    tied: bool
    """True where the input and output embeddings are one matrix."""
    biased: bool
    """True where the projections of queries, keys and values have biases."""


class Model(Spec):
    """The base model: weights, tokenizer and chat template."""

    labels: ClassVar[frozenset[str]] = frozenset({"name", "pad_token", "parameters", "shape", "gguf"})
    name: Name
    """Name of the model in tables. Rules of cluster.resources match it."""
    source: Source
    """Origin of the weights, the tokenizer and the chat template."""
    trust_remote_code: bool = False
    """Run the code that comes with the model. Needed by architectures that transformers does not have."""
    pad_token: str | None = None
    """Token that fills rows up, for a tokenizer that names none. It changes no number."""
    parameters: Positive | None = None
    """Number of parameters, for a plan that is made before the weights are here."""
    shape: ModelShape | None = None
    """Architecture, for a plan that is made before the weights are here."""
    gguf: str | None = None
    """GGUF file of which `ablation prefetch` makes the folder source.path. The folder's content identifies the model."""

    @model_validator(mode="after")
    def _gguf_goes_somewhere(self) -> Self:
        if self.gguf is not None and self.source.path is None:
            raise ValueError(f"gguf={self.gguf!r}: give source.path, the folder to be made of it")
        return self
