"""The base model's tokenizer, loaded as every stage loads it."""

from typing import TYPE_CHECKING

from ablation.data.source import local_path
from ablation.errors import DataError, first_line
from ablation.libraries import hide_sklearn_from_transformers
from ablation.specs import Model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
from typing import TYPE_CHECKING, Any


def load_tokenizer(model: Model) -> "PreTrainedTokenizerBase":
    """The fast tokenizer with its chat template. Raises DataError when it has no template, no end or no pad token."""
    hide_sklearn_from_transformers()
    from transformers import AutoTokenizer

    place, revision = model_location(model)
    at = f" at revision {revision}" if revision else ""
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"model {model.name}: no tokenizer at {place}{at} ({first_line(error)})") from error
    if tokenizer.chat_template is None:
        raise DataError(
            f"model {model.name}: the tokenizer at {place} has no chat template; choose an instruct model, or add one"
        )
    if model.pad_token is not None:
        if model.pad_token not in tokenizer.get_vocab():
            raise DataError(
                f"model.pad_token: given {model.pad_token!r}, which the tokenizer of model {model.name} does not have; give one "
                "of its special tokens that no text holds"
            )
        tokenizer.pad_token = model.pad_token
    if tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
        missing = "end" if tokenizer.eos_token_id is None else "pad"
        advice = (
            "" if missing == "end" else "; set model.pad_token to a special token of its vocabulary that no text holds"
        )
        raise DataError(f"model {model.name}: the tokenizer at {place} names no {missing} token{advice}")
    return tokenizer


def model_location(model: Model) -> tuple[str, str | None]:
    """What `from_pretrained` takes: a local folder, or a hub id with its revision."""
    path = local_path(model.source)
    return (str(path), None) if path else (str(model.source.hub), model.source.revision)


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", problem: str) -> list[int]:
    """The bare problem in the chat template, up to where the assistant begins: the same in training and in evaluation."""
    message = [{"role": "user", "content": problem}]
    return _ids(tokenizer, message, add_generation_prompt=True)


def _ids(
    tokenizer: "PreTrainedTokenizerBase", turns: list[dict[str, str]], add_generation_prompt: bool = False
) -> list[int]:
    encoded: Any = tokenizer.apply_chat_template(
        turns, add_generation_prompt=add_generation_prompt, tokenize=True, return_dict=True
    )
    return list(encoded["input_ids"])
