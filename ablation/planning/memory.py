"""How much of a GPU's memory training will take, before anybody waits in a queue for it.

Bytes, of one process with one GPU, for decoders of the Llama and Qwen2 kind as they are trained here: float32 weights, gradients
and AdamW moments (Rajbhandari et al. 2020, section 3), bf16 as autocast over them, activations recomputed layer by layer (Chen et
al. 2016), no full logits, no attention matrix. What a layer keeps was counted from the tensors that autograd saves; a test
counts again. Not in it: the CUDA context, buffers of communication and what the allocator cannot use, some GB together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ablation.attempt import Means
from ablation.science import Lora, Shape, Train

_FLOAT32, _BF16 = 4, 2
# AdamW's two moments.
_MOMENTS = 2
GB = 1e9


@dataclass(frozen=True)
class Footprint:
    """Bytes on one GPU at the peak of an update."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.weights + self.gradients + self.optimizer + self.activations


def footprint(shape: Shape, recipe: Train, means: Means, processes: int) -> Footprint:
    """What training takes with rows of the recipe's full block; `processes` share what ``means.zero`` lets them share."""
    weights, trained = parameters(shape), trained_parameters(shape, recipe.lora)
    zero, share = (means.zero, processes) if processes > 1 else (0, 1)
    rows = recipe.rows(means.micro_batch, processes)
    states = 0.0 if means.offload and zero else trained * _FLOAT32 * _MOMENTS / (share if zero else 1)
    held: float = weights * _FLOAT32
    if zero == 3:
        # One layer is whole at a time, with its gradient.
        held = (0.0 if means.offload else held / share) + 2 * _FLOAT32 * layer_parameters(shape)
    return Footprint(
        weights=held,
        gradients=trained * _FLOAT32 / (share if zero else 1),
        optimizer=states,
        activations=activations(shape, rows * recipe.block_tokens, recipe.precision),
    )


def activations(shape: Shape, tokens: int, precision: str) -> float:
    """Bytes that stay until the backward pass, at its widest: every layer's input, and all of one layer."""
    return tokens * (shape.layers * shape.hidden * _FLOAT32 + layer_bytes_per_token(shape, precision)) + (
        _BF16 * layer_parameters(shape) if precision == "bf16" else 0
    )


def layer_bytes_per_token(shape: Shape, precision: str) -> float:
    """What autograd saves of one layer, by token; under autocast the residual stream and the norms stay float32."""
    norms_and_softmax = _FLOAT32 * (shape.heads + 2)
    if precision == "bf16":
        return 30 * shape.hidden + 4 * shape.keys + 8 * shape.intermediate + norms_and_softmax
    return _FLOAT32 * (8 * shape.hidden + 2 * shape.keys + 4 * shape.intermediate) + norms_and_softmax


def parameters(shape: Shape) -> int:
    """Weights of the whole model."""
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    return embeddings + shape.layers * layer_parameters(shape) + shape.hidden


def layer_parameters(shape: Shape) -> int:
    """Weights of one layer."""
    biases = shape.hidden + 2 * shape.keys if shape.biased else 0
    return sum(inputs * outputs for inputs, outputs in _matrices(shape).values()) + biases + 2 * shape.hidden


def trained_parameters(shape: Shape, lora: Lora | None) -> int:
    """Those that an update changes; an adapter of rank r adds r × (inputs + outputs) to each matrix that it targets."""
    if lora is None:
        return parameters(shape)
    matrices = _matrices(shape)
    targets = matrices if lora.targets == "all-linear" else [name for name in matrices if name in lora.targets]
    return shape.layers * sum(lora.rank * sum(matrices[name]) for name in targets)


def _matrices(shape: Shape) -> Mapping[str, tuple[int, int]]:
    hidden, keys, inner = shape.hidden, shape.keys, shape.intermediate
    return {
        "q_proj": (hidden, hidden), "k_proj": (hidden, keys), "v_proj": (hidden, keys), "o_proj": (hidden, hidden),
        "gate_proj": (hidden, inner), "up_proj": (hidden, inner), "down_proj": (inner, hidden),
    }  # fmt: skip
