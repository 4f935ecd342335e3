"""Conversations as examples for the trainer. The loss falls on the assistant's part and its end token only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ablation.data.corpus.pool import Conversation
from ablation.errors import DataError

# torch's cross entropy leaves a target with this label out.
IGNORED_LABEL = -100


@dataclass(frozen=True)
class EncodedExamples:
    """Examples ready for the trainer, with the counts of those that the block size cut or dropped."""

    input_ids: list[list[int]]
    """Token ids of each example, the prompt first."""
    labels: list[list[int]]
    """The same ids, with `IGNORED_LABEL` in place of the prompt's."""
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
    """Mask the prompts of the conversations, which are given by id, and cut them to `block_tokens`.

    Raises DataError when one has no trainable token left, unless it may be dropped, which shrinks N; and when none is left.

    A prompt of two tokens and an answer of three, in blocks of four:

    >>> conversation = Conversation("", "", prompt_ids=np.array([5, 6]), answer_ids=np.array([7, 8, 9]))
    >>> examples = encode({"a": conversation}, block_tokens=4)
    >>> examples.input_ids, examples.labels, examples.truncated
    ([[5, 6, 7, 8]], [[-100, -100, 7, 8]], 1)
    """
    kept = {
        name: conversation for name, conversation in conversations.items() if _is_trainable(conversation, block_tokens)
    }
    lost = [name for name in conversations if name not in kept]
    if lost and not (drop and kept):
        prompt_tokens = len(conversations[lost[0]].prompt_ids)
        raise DataError(
            f"trajectory {lost[0]}: its problem alone has {prompt_tokens} tokens and train.block_tokens is "
            f"{block_tokens}, so nothing of it would be trained ({len(lost)} of {len(conversations)} are so); "
            "raise train.block_tokens" + ("" if drop else ", or leave such out: train.drop_untrainable=true")
        )
    whole = [
        (
            np.concatenate([conversation.prompt_ids, conversation.answer_ids]),
            np.concatenate([np.full_like(conversation.prompt_ids, IGNORED_LABEL), conversation.answer_ids]),
        )
        for conversation in kept.values()
    ]
    return EncodedExamples(
        input_ids=[ids[:block_tokens].tolist() for ids, _ in whole],
        labels=[labels[:block_tokens].tolist() for _, labels in whole],
        truncated=sum(len(ids) > block_tokens for ids, _ in whole),
        dropped=len(lost),
    )


def _is_trainable(conversation: Conversation, block_tokens: int) -> bool:
    """True when at least one token of the answer is left after the cut."""
    return len(conversation.prompt_ids) < block_tokens
