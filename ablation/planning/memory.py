"""How much of a GPU's memory training will take, before anybody waits in a queue for it.

Bytes, of one process with one GPU, for decoders of the Llama and Qwen2 kind as they are trained here: float32 weights, gradients
and AdamW moments (Rajbhandari et al. 2020, section 3), bf16 as autocast over them, activations recomputed layer by layer (Chen et
al. 2016) unless the options say otherwise, no full logits, no attention matrix. What a layer keeps was counted from the tensors
that autograd saves; a test counts again. Not in it: the CUDA context, buffers of communication and what the allocator cannot use,
some GB together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ablation.config.cluster import Activations, RuntimeOptions
from ablation.specs import Lora, ModelShape, Train

_FLOAT32, _BF16 = 4, 2
# AdamW's two moments.
_MOMENTS = 2
# TRL's tiles of logits, and how many layers' inputs are on their way to the host's memory at once.
_TILE_TOKENS, _TILE_WORDS, _IN_FLIGHT = 4096, 32768, 6
# Float32 tensors of a tile's size at the peak of TRL's backward pass in torch, counted by torch's profiler.
_TORCH_TILES = 7
GB = 1e9


@dataclass(frozen=True)
class Footprint:
    """Bytes on one GPU at the peak of an update, and those that wait in the host's memory for it."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    host: float = 0.0

    @property
    def total(self) -> float:
        """The sum on the GPU."""
        return self.weights + self.gradients + self.optimizer + self.activations


def footprint(shape: ModelShape, recipe: Train, options: RuntimeOptions, processes: int) -> Footprint:
    """What training takes with rows of the recipe's full block; `processes` share what `options` lets them share."""
    weights, trained = parameters_of_shape(shape), trained_parameters(shape, recipe.lora)
    zero, share = (options.zero, processes) if processes > 1 else (0, 1)
    groups, offload = options.groups(processes), options.offload and zero > 0
    rows = 1 if groups < processes else recipe.rows(options.micro_batch, groups)
    tokens = rows * recipe.block_tokens / (options.sequence_parallel if processes > 1 else 1)
    # At ZeRO's stage 3 one layer is whole at a time, and the head, each with its gradient where it has one.
    whole = _FLOAT32 * (1 if recipe.lora else 2) if zero == 3 else 0
    kept, layer = activations(shape, tokens, recipe.precision, options.activations)
    held = weights * _FLOAT32 / (share if zero == 3 else 1)
    states = trained * _FLOAT32 * _MOMENTS / (share if zero else 1)
    waiting = tokens * shape.layers * shape.hidden * _FLOAT32 if options.activations == "offload" else 0.0
    return Footprint(
        weights=0.0 if offload and zero == 3 else held,
        gradients=trained * _FLOAT32 / (share if zero else 1),
        optimizer=0.0 if offload else states,
        activations=kept
        + max(layer + whole * layer_parameters(shape), head_bytes(shape, tokens, recipe) + whole * _head(shape)),
        host=waiting + (states + (held if zero == 3 else 0.0) if offload else 0.0),
    )


def activations(shape: ModelShape, tokens: float, precision: str, kind: Activations = "auto") -> tuple[float, float]:
    """Bytes that stay until the backward pass comes to their layer, and those of one layer while it is recomputed."""
    casts = _BF16 * layer_parameters(shape) if precision == "bf16" else 0
    layer = tokens * layer_bytes_per_token(shape, precision) + casts
    if kind == "keep":
        return shape.layers * layer, 0.0
    inputs = shape.layers if kind != "offload" else min(shape.layers, _IN_FLIGHT)
    return tokens * inputs * shape.hidden * _FLOAT32, layer


def head_bytes(shape: ModelShape, tokens: float, recipe: Train) -> float:
    """Bytes of the loss: a tile of logits, as wide as TRL's whatever the vocabulary, and what it takes of a head that is cast;
    the last states with their gradient; the gradient of the head's weights. Without Triton there is more (`torch_tiles`)."""
    cast = recipe.precision == "bf16"
    tile = min(tokens, _TILE_TOKENS) * _TILE_WORDS * (_BF16 if cast else _FLOAT32)
    words = min(shape.vocabulary, _TILE_WORDS) * shape.hidden * _BF16 if cast else 0
    return tile + words + 2 * tokens * shape.hidden * _FLOAT32 + (0 if recipe.lora else _head(shape) * _FLOAT32)


def torch_tiles(shape: ModelShape, tokens: float) -> float:
    """Bytes of the logits' gradient that TRL's loss keeps besides where it has no Triton, as on a CPU: no part of `footprint`."""
    return _TORCH_TILES * min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS) * _FLOAT32


def _head(shape: ModelShape) -> int:
    return shape.vocabulary * shape.hidden


def layer_bytes_per_token(shape: ModelShape, precision: str) -> float:
    """What autograd saves of one layer, by token; under autocast the residual stream and the norms stay float32."""
    norms_and_softmax = _FLOAT32 * (shape.heads + 2)
    if precision == "bf16":
        return 30 * shape.hidden + 4 * shape.keys + 8 * shape.intermediate + norms_and_softmax
    return _FLOAT32 * (8 * shape.hidden + 2 * shape.keys + 4 * shape.intermediate) + norms_and_softmax


def parameters_of_shape(shape: ModelShape) -> int:
    """Weights of the whole model."""
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    return embeddings + shape.layers * layer_parameters(shape) + shape.hidden


def layer_parameters(shape: ModelShape) -> int:
    """Weights of one layer."""
    biases = shape.hidden + 2 * shape.keys if shape.biased else 0
    return sum(inputs * outputs for inputs, outputs in _matrices(shape).values()) + biases + 2 * shape.hidden


def trained_parameters(shape: ModelShape, lora: Lora | None) -> int:
    """Those that an update changes; an adapter of rank r adds r × (inputs + outputs) to each matrix that it targets."""
    if lora is None:
        return parameters_of_shape(shape)
    matrices = _matrices(shape)
    targets = matrices if lora.targets == "all-linear" else [name for name in matrices if name in lora.targets]
    return shape.layers * sum(lora.rank * sum(matrices[name]) for name in targets)


def _matrices(shape: ModelShape) -> Mapping[str, tuple[int, int]]:
    hidden, keys, inner = shape.hidden, shape.keys, shape.intermediate
    return {
        "q_proj": (hidden, hidden), "k_proj": (hidden, keys), "v_proj": (hidden, keys), "o_proj": (hidden, hidden),
        "gate_proj": (hidden, inner), "up_proj": (hidden, inner), "down_proj": (inner, hidden),
    }  # fmt: skip
