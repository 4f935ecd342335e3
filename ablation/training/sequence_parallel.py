"""Sequence parallelism (DeepSpeed-Ulysses, Jacobs et al. 2023): a group of processes shares the tokens of each example.

Every process of a group runs all layers on its slice of the tokens; for attention alone they exchange slices for heads. So a
process keeps the activations of its slice only, and the update stays the same. The groups take the place of the processes in
everything else: each gets a share of the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad

from ablation.libraries import forget_sequence_parallelism
from ablation.training.distributed import backend
from ablation.training.encode import IGNORED_LABEL

# Ulysses takes the place of this one of transformers' attentions; a causal one needs no mask where rows are filled up at the end.
_ATTENTION = "sdpa"


@dataclass(frozen=True)
class SlicingCollator:
    """A collator that gives a process slice `number` of `degree` equal slices of each row.

    The inner `collator` must fill rows up to a multiple of `degree`. The labels are shifted before they are cut: the last token
    of a slice predicts the first of the next.
    """

    collator: Callable[[Sequence[Any]], dict[str, torch.Tensor]]
    number: int
    degree: int

    def __call__(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Return columns of shape [rows, slice]."""
        batch = self.collator(rows)
        ids, labels = batch["input_ids"], pad(batch["labels"][:, 1:], (0, 1), value=IGNORED_LABEL)
        positions = torch.arange(ids.shape[1]).expand_as(ids)
        whole = {"input_ids": ids, "position_ids": positions, "labels": labels, "shift_labels": labels}
        return {name: column.chunk(self.degree, dim=1)[self.number].contiguous() for name, column in whole.items()}


def parallelism(degree: int, groups: int) -> Any:
    """Return the trainer's configuration for `groups` groups of `degree` processes; None where no tokens are shared."""
    if degree == 1:
        return None
    from accelerate import ParallelismConfig
    from accelerate.utils import DeepSpeedSequenceParallelConfig

    handler = DeepSpeedSequenceParallelConfig(sp_seq_length_is_variable=True, sp_attn_implementation=_ATTENTION)
    return ParallelismConfig(dp_replicate_size=groups, sp_size=degree, sp_backend="deepspeed", sp_handler=handler)


@contextmanager
def restored_attention(degree: int) -> Iterator[None]:
    """Undo at the end what Ulysses changes for the whole process: the attention of every model, and its groups."""
    if degree == 1:
        yield
        return
    from deepspeed.comm import init_distributed
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    init_distributed(dist_backend=backend(), verbose=False)  # takes up torch's process group
    attention = ALL_ATTENTION_FUNCTIONS[_ATTENTION]
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS[_ATTENTION] = attention
        forget_sequence_parallelism()
