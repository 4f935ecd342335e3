"""Grade completions as they come, to see when a cell's pass line is decided."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ablation.data.benchmark import sampled_questions
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import UngradedCompletion, grade_completions
from ablation.evaluation.pass_line import Decision
from ablation.specs.cell import Cell
from ablation.store.records import Completion

# Takes completions that are new, says whether what was heard so far decides the line.
IsDecided = Callable[[Iterable[Completion]], bool]


@contextmanager
def early_stop(cell: Cell) -> Iterator[IsDecided]:
    """Always False for a cell that makes every planned attempt; nothing is graded for it."""
    line = cell.sample.decides
    if line is None:
        yield lambda completions: False  # noqa: ARG005 nobody looks
        return
    answers = {question.id: question.answer for question in sampled_questions(cell.benchmark, cell.sample)}
    decision = Decision(line, len(answers) * cell.sample.n)
    with MathVerify() as algebra:

        def is_decided(completions: Iterable[Completion]) -> bool:
            attempts = (UngradedCompletion(row.text, row.finish_reason, answers[row.question]) for row in completions)
            decision.hear(judged.verdict for judged in grade_completions(attempts, algebra))
            return decision.answer is not None

        yield is_decided
