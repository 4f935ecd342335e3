"""A check of the reference answers before anything runs: an answer without a mathematical reading can never be met."""

from ablation.data.benchmark.answers import is_integer, plain_answer
from ablation.data.benchmark.questions import column_name, read_questions
from ablation.data.source import source_name
from ablation.specs import Benchmark


def unreadable_answers(benchmark: Benchmark) -> list[str]:
    """Return one sentence for each reference answer that has no mathematical reading, so that no answer could ever equal it."""
    from ablation.evaluation.grading.algebra import MathVerify

    kept_ids = {question.id for question in read_questions(benchmark)}
    column = column_name(benchmark.columns, "answer")
    # Read once more without the steps that leave questions out, since the sentence names the row of the source.
    rows = enumerate(read_questions(benchmark.model_copy(update={"steps": None})))
    asked = [
        (number, question)
        for number, question in rows
        if question.id in kept_ids and not is_integer(plain_answer(question.answer))
    ]
    with MathVerify() as algebra:
        readable = algebra.readable([plain_answer(question.answer) for _, question in asked])
    name = source_name(benchmark.source)
    return [
        f"{name}, row {number} (id {question.id}), column {column}: {question.answer!r} has no mathematical reading"
        for (number, question), is_readable in zip(asked, readable, strict=True)
        if not is_readable
    ]
