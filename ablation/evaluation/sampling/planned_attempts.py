"""What is to be sampled, in units that are generated together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.data.tokenizer import prompt_ids
from ablation.specs import Sample
from ablation.specs.base import digest
from ablation.store.records import Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class PlannedAttempt:
    """One attempt at a question, and the prompt's token ids."""

    question: str
    attempt: int
    prompt: tuple[int, ...]


# Kept whole or generated again whole. Where rows share a batch they reach each other's last bits, so a unit is a batch, and which
# rows it holds never depends on what an earlier attempt had done: that makes the text independent of restarts by construction. An
# engine that takes requests one by one has units of one row.
SamplingUnit = tuple[PlannedAttempt, ...]


@dataclass(frozen=True)
class SamplingRun:
    """Which weights answer, and how: a folder, or a hub id with its revision; `seed` is where every attempt's stream begins.

    `adapter` is a folder whose adapter answers beside those weights, unmerged. `trust_remote_code`: the model may bring its own.
    """

    weights: str
    revision: str | None
    tokenizer: "PreTrainedTokenizerBase"
    sample: Sample
    seed: int
    adapter: str | None = None
    trust_remote_code: bool = False


def plan_attempts(
    tokenizer: "PreTrainedTokenizerBase",
    questions: Sequence[Question],
    attempts: Iterable[int],
    in_rounds: bool = False,
) -> list[PlannedAttempt]:
    """These attempts at every question, questions with prompts of similar length together.

    `in_rounds` interleaves them: each question once, then each once more, so that whatever is done first is of all questions.
    """
    numbers = list(attempts)
    prompts = sorted(
        ((tuple(prompt_ids(tokenizer, item.problem)), item.id) for item in questions),
        key=lambda pair: (len(pair[0]), pair[1]),
    )
    if in_rounds:
        return [PlannedAttempt(question, attempt, prompt) for attempt in numbers for prompt, question in prompts]
    return [PlannedAttempt(question, attempt, prompt) for prompt, question in prompts for attempt in numbers]


def split_into_units(rows: Sequence[PlannedAttempt], size: int) -> list[SamplingUnit]:
    """The rows in their order, `size` to a unit."""
    return [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]


def plan_digest(units: Sequence[SamplingUnit], engine: str) -> str:
    """What a kept record must agree in to be of use: every unit with its questions, attempts and prompts, and who answers."""
    return digest([engine, [[[row.question, row.attempt, row.prompt] for row in unit] for unit in units]])
