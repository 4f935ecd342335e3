"""The base model."""

from typing import ClassVar

from ablation.science.source import Source
from ablation.science.values import Name, Positive
from ablation.spec import Spec


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
