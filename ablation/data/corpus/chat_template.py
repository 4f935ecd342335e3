"""A problem and its trajectory as the token ids that are trained on: the prompt in the chat template, then the assistant's part.

The two parts are encoded apart, as they are when the model is sampled: there, the prompt is all it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ablation.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Rendered:
    """One conversation as text: ``prompt + answer`` is what the template makes of it, `tail` what follows the trajectory."""

    prompt: str
    answer: str
    tail: str


class Renderer:
    """The tokenizer's chat template, checked to be fit for supervised fine-tuning."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        ending = self.conversations(["1 + 1"], ["2"], ["a probe"])[0].tail
        if tokenizer.eos_token_id not in encoded(tokenizer, [ending])[0].ids:
            raise DataError(
                "the chat template does not fit supervised fine-tuning: the assistant's turn must hold the end token "
                f"{tokenizer.eos_token!r}, or the model never learns to stop"
            )

    def conversations(self, problems: Sequence[str], texts: Sequence[str], ids: Sequence[str]) -> list[Rendered]:
        """Each problem with its trajectory. Raises DataError, naming the id, when the template does not keep them as they are."""
        asked = {problem: {"role": "user", "content": problem} for problem in problems}
        prompts = dict(
            zip(asked, self._rendered([[turn] for turn in asked.values()], add_generation_prompt=True), strict=True)
        )
        whole = self._rendered(
            [
                [asked[problem], {"role": "assistant", "content": text}]
                for problem, text in zip(problems, texts, strict=True)
            ],
            add_generation_prompt=False,
        )
        return [_parted(prompts[problem], *rest) for problem, *rest in zip(problems, whole, texts, ids, strict=True)]

    def _rendered(self, turns: list[list[dict[str, str]]], add_generation_prompt: bool) -> list[str]:
        found: Any = self._tokenizer.apply_chat_template(
            turns, add_generation_prompt=add_generation_prompt, tokenize=False
        )
        return list(found)


def _parted(prompt: str, whole: str, text: str, identity: str) -> Rendered:
    answer = whole.removeprefix(prompt)
    if not whole.startswith(prompt):
        raise DataError(
            f"the chat template does not fit supervised fine-tuning (seen on {identity}): a conversation must begin with its own "
            "prompt"
        )
    for kept in (text, text.strip()):
        if answer.startswith(kept):
            return Rendered(prompt, answer, answer[len(kept) :])
    kept = text if text in answer else text.strip()
    if kept not in answer:
        raise DataError(
            f"the chat template changes what the assistant says (seen on {identity}), so part of the trajectory would not be "
            "trained; some templates drop the reasoning of earlier turns: choose one that keeps it"
        )
    return Rendered(prompt, answer, answer[answer.rindex(kept) + len(kept) :])


class Encoded(Protocol):
    """What the tokenizer made of one text."""

    @property
    def ids(self) -> list[int]:
        """The token ids, copied anew at each call."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class _Ids:
    ids: list[int]

    def __len__(self) -> int:
        return len(self.ids)


def encoded(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> Sequence[Encoded]:
    """Each text encoded, nothing added; on all cores, unless TOKENIZERS_PARALLELISM says otherwise."""
    if not tokenizer.is_fast:
        return [_Ids(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    backend: Any = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    found: list[Encoded] = backend.encode_batch_fast(list(texts), add_special_tokens=False)
    return found
