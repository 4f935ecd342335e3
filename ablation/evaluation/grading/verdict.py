"""One verdict for each attempt: ``correct``, ``wrong``, ``no_answer``, ``truncated`` or ``ungradable``.

A truncated completion is never parsed, since a number in an unfinished thought is not an answer. In every other completion, the
answer is the content of the last balanced ``\\boxed{}``, else the text behind the last ``Answer:``. An answer is `ungradable`
when the grader could not decide it within its limits of time, memory and length: it is neither wrong nor correct.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from ablation.data.benchmark.answers import MAX_ANSWER_CHARS, Comparison, compare, final_answer, plain_answer

VerdictName = Literal["correct", "wrong", "no_answer", "truncated", "ungradable"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
# Finish reasons, as the engines and the common services call them.
FINISHED = ("stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls", "tool_use", "refusal")
CUT_OFF = ("length", "max_tokens", "repetition", "abort", "error", "content_filter", "safety", "recitation")

_VERDICT_OF: dict[Comparison, VerdictName] = {"equal": "correct", "different": "wrong", "undecided": "ungradable"}
_BATCH, _BATCH_CHARACTERS = 1_000, 4_000_000
AnswerPair = tuple[str, str]  # (given answer, reference answer)


class Algebra(Protocol):
    """Something that decides whether answers are equal where text and integers cannot."""

    def decide(self, pairs: Sequence[AnswerPair]) -> list[Comparison]:
        """Return one outcome for each pair, in order."""
        ...


@dataclass(frozen=True)
class UngradedCompletion:
    """A completion with the reference answer that it is compared to."""

    text: str
    finish_reason: str | None
    """One of `FINISHED` or `CUT_OFF`. None is unknown: then a thought that was begun and not ended counts as cut off."""
    reference: str


@dataclass(frozen=True)
class GradedCompletion:
    """A verdict, and the answer that was extracted from the completion."""

    verdict: VerdictName
    extracted: str | None
    """At most `MAX_ANSWER_CHARS` characters of the answer. None where the completion has none, or is truncated."""


def grade_completions(attempts: Iterable[UngradedCompletion], algebra: Algebra) -> Iterator[GradedCompletion]:
    r"""Yield the verdicts in order. Memory does not grow with the number of attempts, since they are taken in batches.

    Four completions whose reference answer is 4:

    >>> from ablation.evaluation.grading.algebra import MathVerify
    >>> texts = [(r"2 + 2 is \boxed{4}", "stop"), ("Answer: 5", "stop"), ("It is 4.", "stop"), (r"\boxed{4}, or", "length")]
    >>> attempts = [UngradedCompletion(text, finish_reason, reference="4") for text, finish_reason in texts]
    >>> [(graded.verdict, graded.extracted) for graded in grade_completions(attempts, MathVerify())]
    [('correct', '4'), ('wrong', '5'), ('no_answer', None), ('truncated', None)]
    """
    for batch in _batches(attempts):
        readings = [_read(attempt) for attempt in batch]
        # Attempts at a question repeat their answers, so each pair is asked once.
        open_pairs = list(dict.fromkeys(reading for reading in readings if isinstance(reading, tuple)))
        outcomes = dict(zip(open_pairs, algebra.decide(open_pairs), strict=True)) if open_pairs else {}
        yield from (
            GradedCompletion(_VERDICT_OF[outcomes[reading]], _shortened(reading[0]))
            if isinstance(reading, tuple)
            else reading
            for reading in readings
        )


def _batches(attempts: Iterable[UngradedCompletion]) -> Iterator[list[UngradedCompletion]]:
    waiting: list[UngradedCompletion] = []
    characters = 0
    for attempt in attempts:
        waiting.append(attempt)
        characters += len(attempt.text)
        if len(waiting) == _BATCH or characters >= _BATCH_CHARACTERS:
            yield waiting
            waiting, characters = [], 0
    if waiting:
        yield waiting


def is_truncated(attempt: UngradedCompletion) -> bool:
    """True when the completion was cut off before its end."""
    if attempt.finish_reason is None:
        return attempt.text.rfind("<think>") > attempt.text.rfind("</think>")
    return attempt.finish_reason in CUT_OFF


def _read(attempt: UngradedCompletion) -> GradedCompletion | AnswerPair:
    """Return the verdict, or the pair of answers that needs algebra."""
    if is_truncated(attempt):
        return GradedCompletion("truncated", None)
    answer = final_answer(attempt.text)
    if not answer:
        return GradedCompletion("no_answer", _shortened(answer))
    outcome = compare(answer, attempt.reference)
    return (
        GradedCompletion(_VERDICT_OF[outcome], _shortened(answer))
        if outcome
        else (plain_answer(answer), plain_answer(attempt.reference))
    )


def _shortened(answer: str | None) -> str | None:
    """Return the answer as it is recorded: valid Unicode, and cut to the length that an answer may have."""
    if answer is None:
        return None
    text = answer[:MAX_ANSWER_CHARS].encode("utf-8", "replace").decode()
    return text + "…" if len(answer) > MAX_ANSWER_CHARS else text
