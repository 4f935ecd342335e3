"""The grade stage: one verdict for every planned attempt.

A truncated completion is never parsed, since a number in an unfinished thought is not an answer. Otherwise the answer is what
stands in the last balanced ``\\boxed{}``; integers compare as integers, so ``025`` equals ``25``.
"""

from pathlib import Path
from typing import Literal

from ablation.answer import equal, last_boxed
from ablation.benchmark import read_questions
from ablation.cell import Cell
from ablation.errors import RecordError
from ablation.records import COMPLETIONS_FILE, VERDICTS_FILE, Completion, Verdict, read_rows, write_rows

VerdictName = Literal["correct", "wrong", "no_answer", "truncated"]


def grade(cell: Cell, completions: Path, folder: Path) -> None:
    """Write ``verdicts.jsonl``. Raises RecordError unless there is exactly one completion for each planned attempt."""
    answers = {question.id: question.answer for question in read_questions(cell.benchmark)}
    rows = read_rows(completions / COMPLETIONS_FILE, Completion)
    planned = [(question, attempt) for question in answers for attempt in range(cell.sample.n)]
    if [(row.question, row.attempt) for row in rows] != planned:
        raise RecordError(f"{completions}: {len(rows)} completions do not match the {len(planned)} planned attempts")
    write_rows(folder / VERDICTS_FILE, (judge(row, answers[row.question]) for row in rows))


def judge(completion: Completion, answer: str) -> Verdict:
    """The verdict on one completion against the reference answer."""
    extracted = None if completion.finish_reason == "length" else last_boxed(completion.text)
    return Verdict(
        question=completion.question,
        attempt=completion.attempt,
        verdict=_verdict(completion, extracted, answer),
        extracted=extracted,
    )


def _verdict(completion: Completion, extracted: str | None, answer: str) -> VerdictName:
    if completion.finish_reason == "length":
        return "truncated"
    if not extracted:
        return "no_answer"
    return "correct" if equal(extracted, answer) else "wrong"
