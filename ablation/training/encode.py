"""Trajectories as token ids under the chat template; the loss falls on the assistant's part and its end token only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablation.errors import DataError
from ablation.records import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """Examples ready for the trainer, and what the block size did to them."""

    input_ids: list[list[int]]
    labels: list[list[int]]
    truncated: int

    @property
    def tokens(self) -> int:
        """Tokens of all examples, prompts included."""
        return sum(map(len, self.input_ids))

    @property
    def target_tokens(self) -> int:
        """Tokens that carry loss."""
        return sum(label != IGNORED for row in self.labels for label in row)


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", problem: str) -> list[int]:
    """The bare problem in the chat template, up to where the assistant begins: the same in training and in evaluation."""
    message = [{"role": "user", "content": problem}]
    return _ids(tokenizer, message, add_generation_prompt=True)


def encode(tokenizer: "PreTrainedTokenizerBase", trajectories: Sequence[Trajectory], block_tokens: int) -> Encoded:
    """Encode all trajectories. Raises DataError when one has no trainable token left, since N would shrink unseen."""
    pairs = [_encode_one(tokenizer, item) for item in trajectories]
    for item, (prompt, _) in zip(trajectories, pairs, strict=True):
        if len(prompt) >= block_tokens:
            raise DataError(
                f"trajectory {item.id}: its problem alone has {len(prompt)} tokens and train.block_tokens is {block_tokens}, "
                "so nothing of it would be trained; raise train.block_tokens"
            )
    whole = [(prompt + answer, [IGNORED] * len(prompt) + answer) for prompt, answer in pairs]
    return Encoded(
        input_ids=[ids[:block_tokens] for ids, _ in whole],
        labels=[labels[:block_tokens] for _, labels in whole],
        truncated=sum(len(ids) > block_tokens for ids, _ in whole),
    )


def _ids(
    tokenizer: "PreTrainedTokenizerBase", turns: list[dict[str, str]], add_generation_prompt: bool = False
) -> list[int]:
    encoded: Any = tokenizer.apply_chat_template(
        turns, add_generation_prompt=add_generation_prompt, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])


def _encode_one(tokenizer: "PreTrainedTokenizerBase", item: Trajectory) -> tuple[list[int], list[int]]:
    prompt = prompt_ids(tokenizer, item.problem)
    turns = [{"role": "user", "content": item.problem}, {"role": "assistant", "content": item.generation}]
    whole = _ids(tokenizer, turns)
    answer = whole[len(prompt) :]
    if whole[: len(prompt)] != prompt or tokenizer.eos_token_id not in answer:
        raise DataError(
            f"the chat template does not fit supervised fine-tuning (seen on {item.id}): a conversation must begin with its "
            f"own prompt, and the assistant's turn must hold the end token {tokenizer.eos_token!r}, or it never learns to stop"
        )
    return prompt, answer
