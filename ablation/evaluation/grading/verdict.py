"""One verdict for each attempt: ``correct``, ``wrong``, ``no_answer``, ``truncated`` or ``ungradable``.

A truncated completion is never parsed, since a number in an unfinished thought is not an answer. Otherwise the answer is what
stands in the last balanced ``\\boxed{}``, else behind the last ``Answer:``. `ungradable` is what the grader could not decide
within its limits of time, memory and length: not wrong, and not correct either.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from ablation.data.benchmark.answers import MAX_ANSWER_CHARS, Comparison, compare, final_answer, plain_answer

VerdictName = Literal["correct", "wrong", "no_answer", "truncated", "ungradable"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
# As the engines and the common services call them.
FINISHED = ("stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls", "tool_use", "refusal")
CUT_OFF = ("length", "max_tokens", "repetition", "abort", "error", "content_filter", "safety", "recitation")

_VERDICT_OF: dict[Comparison, VerdictName] = {"equal": "correct", "different": "wrong", "undecided": "ungradable"}
_BATCH, _BATCH_CHARACTERS = 1_000, 4_000_000
AnswerPair = tuple[str, str]  # (given answer, reference answer)


class Algebra(Protocol):
    """Decides whether answers are equal where text and integers cannot."""

    def decide(self, pairs: Sequence[AnswerPair]) -> list[Comparison]:
        """One outcome a pair, in order."""
        ...


@dataclass(frozen=True)
class UngradedCompletion:
    """What is graded. `finish_reason` None is unknown: then a thought that was begun and not ended counts as cut off."""

    text: str
    finish_reason: str | None
    reference: str


@dataclass(frozen=True)
class GradedCompletion:
    """A verdict, and the answer that was found, of which at most `MAX_ANSWER_CHARS` are kept."""

    verdict: VerdictName
    extracted: str | None


def grade_completions(attempts: Iterable[UngradedCompletion], algebra: Algebra) -> Iterator[GradedCompletion]:
    """The verdicts in order. Takes a batch of attempts at a time, so memory does not grow with their number."""
    for batch in _batches(attempts):
        read = [_read(attempt) for attempt in batch]
        open_pairs = list(dict.fromkeys(one for one in read if isinstance(one, tuple)))
        decided = dict(zip(open_pairs, algebra.decide(open_pairs), strict=True)) if open_pairs else {}
        yield from (
            GradedCompletion(_VERDICT_OF[decided[one]], _shown(one[0])) if isinstance(one, tuple) else one
            for one in read
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
    """Whether the completion was cut off before its end."""
    if attempt.finish_reason is None:
        return attempt.text.rfind("<think>") > attempt.text.rfind("</think>")
    return attempt.finish_reason in CUT_OFF


def _read(attempt: UngradedCompletion) -> GradedCompletion | AnswerPair:
    """The verdict, or the pair of answers that needs algebra."""
    if is_truncated(attempt):
        return GradedCompletion("truncated", None)
    answer = final_answer(attempt.text)
    if not answer:
        return GradedCompletion("no_answer", _shown(answer))
    outcome = compare(answer, attempt.reference)
    return (
        GradedCompletion(_VERDICT_OF[outcome], _shown(answer))
        if outcome
        else (plain_answer(answer), plain_answer(attempt.reference))
    )


def _shown(answer: str | None) -> str | None:
    """The answer as it is kept: valid Unicode, and not longer than an answer may be."""
    if answer is None:
        return None
    whole = answer[:MAX_ANSWER_CHARS].encode("utf-8", "replace").decode()
    return whole + "…" if len(answer) > MAX_ANSWER_CHARS else whole
