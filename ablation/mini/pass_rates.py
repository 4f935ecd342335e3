"""The share of fresh problems that a model solves greedily, asked in chat or begun as worked text."""

from collections.abc import Sequence
from itertools import cycle, islice
from random import Random
from typing import Any

from transformers import PreTrainedTokenizerFast

from ablation.mini.candidates import held_out
from ablation.mini.generations import boxed
from ablation.mini.problems import make_problem
from ablation.mini.tokenizer import ASSISTANT, END, USER
from ablation.mini.wordings import PROBLEM_TYPES

MEASURED_DEPTHS = (1, 2, 3, 4, 6, 8)
PROBLEMS_PER_DEPTH = 140
PASS_RATE_SEED = "probe"

# Way of asking → depth → share of right answers.
PassRates = dict[str, dict[int, float]]


def measure_pass_rates(model: Any, tokenizer: PreTrainedTokenizerFast) -> PassRates:
    """Return a causal model's share of right answers to `PROBLEMS_PER_DEPTH` problems of each depth, in chat and as worked text.

    No problem has the skeleton of a candidate of the benchmark.
    """
    rng = Random(PASS_RATE_SEED)
    chat_rates: dict[int, float] = {}
    worked_rates: dict[int, float] = {}
    for depth in MEASURED_DEPTHS:
        problem_types = islice(cycle(PROBLEM_TYPES), PROBLEMS_PER_DEPTH)
        problems = [make_problem(rng, problem_type, depth, held_out()) for problem_type in problem_types]
        answers = continuations(model, tokenizer, [f"{USER}{p.text}{ASSISTANT}" for p in problems], max_tokens=6)
        chat_rates[depth] = _share_right(answers, [boxed(p.answer) for p in problems])
        solutions = continuations(
            model, tokenizer, [f"{p.text} Solution:" for p in problems], max_tokens=12 * depth + 10
        )
        worked_rates[depth] = _share_right(solutions, [str(p.answer) for p in problems])
    return {"chat": chat_rates, "worked text": worked_rates}


def continuations(model: Any, tokenizer: PreTrainedTokenizerFast, prompts: list[str], max_tokens: int) -> list[str]:
    """Return the greedy continuation of each prompt up to the end token, without spaces."""
    encoded = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    output: Any = model.generate(**encoded, max_new_tokens=max_tokens, do_sample=False)
    texts: list[str] = tokenizer.batch_decode(output[:, encoded.input_ids.shape[1] :])
    return [text.split(END)[0].replace(" ", "") for text in texts]


def _share_right(texts: Sequence[str], answers: Sequence[str]) -> float:
    """Return the share of texts that end in their answer, a punctuation mark after it aside."""
    return sum(_ends_in(text.rstrip(".,;|"), answer) for text, answer in zip(texts, answers, strict=True)) / len(texts)


def _ends_in(text: str, answer: str) -> bool:
    """Return True where the text ends in `answer` as a whole number, not in the last digits of a longer one."""
    return text.endswith(answer) and not text.removesuffix(answer)[-1:].isdigit()
