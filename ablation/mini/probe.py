"""What a model knows: greedy pass rates on fresh problems, asked in chat or begun as worked text."""

from collections.abc import Sequence
from itertools import cycle, islice
from random import Random
from typing import Any

from transformers import PreTrainedTokenizerFast

from ablation.mini.holdout import held_out
from ablation.mini.surfaces import CATEGORIES
from ablation.mini.tokenizer import ASSISTANT, END, USER
from ablation.mini.trajectories import boxed
from ablation.mini.world import make_problem

DEPTHS = (1, 2, 3, 4, 6, 8)
PROBLEMS_PER_DEPTH = 140
SEED = "probe"

Rates = dict[str, dict[int, float]]


def probe(model: Any, tokenizer: PreTrainedTokenizerFast) -> Rates:
    """A causal model's share of right answers: way of asking → depth → share of `PROBLEMS_PER_DEPTH` problems."""
    rng = Random(SEED)
    chat: dict[int, float] = {}
    worked: dict[int, float] = {}
    for depth in DEPTHS:
        categories = islice(cycle(CATEGORIES), PROBLEMS_PER_DEPTH)
        problems = [make_problem(rng, category, depth, held_out()) for category in categories]
        asked = continuations(model, tokenizer, [f"{USER}{p.text}{ASSISTANT}" for p in problems], max_tokens=6)
        chat[depth] = _share(asked, [boxed(p.answer) for p in problems])
        begun = continuations(model, tokenizer, [f"{p.text} Solution:" for p in problems], max_tokens=12 * depth + 10)
        worked[depth] = _share(begun, [str(p.answer) for p in problems])
    return {"chat": chat, "worked text": worked}


def continuations(model: Any, tokenizer: PreTrainedTokenizerFast, prompts: list[str], max_tokens: int) -> list[str]:
    """Greedy continuations up to the end token, without spaces."""
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    output: Any = model.generate(**encoded, max_new_tokens=max_tokens, do_sample=False)
    texts: list[str] = tokenizer.batch_decode(output[:, encoded.input_ids.shape[1] :])
    return [text.split(END)[0].replace(" ", "") for text in texts]


def _share(texts: Sequence[str], wanted: Sequence[str]) -> float:
    return sum(_ends_in(text.rstrip(".,;|"), end) for text, end in zip(texts, wanted, strict=True)) / len(texts)


def _ends_in(text: str, wanted: str) -> bool:
    """Whether the text ends in `wanted` as a whole number, not in the last digits of a longer one."""
    return text.endswith(wanted) and not text.removesuffix(wanted)[-1:].isdigit()
