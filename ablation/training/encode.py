"""Conversations ready for the trainer, from the pool's ids; the loss falls on the assistant's part and its end token only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ablation.data.corpus.pool import Conversation
from ablation.errors import DataError

if TYPE_CHECKING:
    pass


IGNORED_LABEL = -100


@dataclass(frozen=True)
class EncodedExamples:
    """Examples ready for the trainer, and what the block size did to them."""

    input_ids: list[list[int]]
    labels: list[list[int]]
    truncated: int
    dropped: int = 0

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example, prompt included."""
        return [len(ids) for ids in self.input_ids]

    @property
    def target_lengths(self) -> list[int]:
        """Tokens of each example that carry loss."""
        return [sum(label != IGNORED_LABEL for label in row) for row in self.labels]


def encode(conversations: Mapping[str, Conversation], block_tokens: int, drop: bool = False) -> EncodedExamples:
    """Mask and cut the conversations, given by id.

    Raises DataError when one has no trainable token left, unless it may be dropped, which shrinks N; and when none is left.
    """
    kept = {name: one for name, one in conversations.items() if len(one.prompt_ids) < block_tokens}
    lost = [name for name in conversations if name not in kept]
    if lost and not (drop and kept):
        first = conversations[lost[0]]
        raise DataError(
            f"trajectory {lost[0]}: its problem alone has {len(first.prompt_ids)} tokens and train.block_tokens is "
            f"{block_tokens}, so nothing of it would be trained ({len(lost)} of {len(conversations)} are so); "
            "raise train.block_tokens" + ("" if drop else ", or leave such out: train.drop_untrainable=true")
        )
    whole = [
        (
            np.concatenate([one.prompt_ids, one.answer_ids]),
            np.concatenate([np.full_like(one.prompt_ids, IGNORED_LABEL), one.answer_ids]),
        )
        for one in kept.values()
    ]
    return EncodedExamples(
        input_ids=[ids[:block_tokens].tolist() for ids, _ in whole],
        labels=[labels[:block_tokens].tolist() for _, labels in whole],
        truncated=sum(len(ids) > block_tokens for ids, _ in whole),
        dropped=len(lost),
    )
