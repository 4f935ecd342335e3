"""Grading of completions as they come, to see when a cell's pass line is decided."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ablation.data.benchmark import sampled_questions
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import UngradedCompletion, grade_completions
from ablation.evaluation.pass_line import Decision
from ablation.specs.cell import Cell
from ablation.store.records import Completion

# Called with new completions; True once all completions so far decide the line.
IsDecided = Callable[[Iterable[Completion]], bool]


@contextmanager
def early_stop(cell: Cell) -> Iterator[IsDecided]:
    """Give a function that counts new completions, and returns True once all so far decide the cell's pass line.

    For a cell that makes every planned attempt it always returns False, and grades nothing.
    """
    line = cell.sample.decides
    if line is None:
        yield lambda completions: False  # noqa: ARG005
        return
    answers = {question.id: question.answer for question in sampled_questions(cell.benchmark, cell.sample)}
    decision = Decision(line, len(answers) * cell.sample.n)
    with MathVerify() as algebra:

        def is_decided(completions: Iterable[Completion]) -> bool:
            attempts = (UngradedCompletion(row.text, row.finish_reason, answers[row.question]) for row in completions)
            decision.count(graded.verdict for graded in grade_completions(attempts, algebra))
            return decision.answer is not None

        yield is_decided
