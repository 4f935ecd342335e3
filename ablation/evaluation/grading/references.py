"""Reference answers that no grader could ever equal, found before anything runs."""

from ablation.data.benchmark.answers import is_integer, plain_answer
from ablation.data.benchmark.questions import column_name, read_questions
from ablation.data.source import source_name
from ablation.specs import Benchmark


def unreadable_answers(benchmark: Benchmark) -> list[str]:
    """One sentence for each reference answer that has no mathematical reading, so that nothing could ever equal it."""
    from ablation.evaluation.grading.algebra import MathVerify

    wanted, column = {one.id for one in read_questions(benchmark)}, column_name(benchmark.columns, "answer")
    rows = enumerate(read_questions(benchmark.model_copy(update={"steps": None})))
    asked = [(number, one) for number, one in rows if one.id in wanted and not is_integer(plain_answer(one.answer))]
    with MathVerify() as algebra:
        readable = algebra.readable([plain_answer(one.answer) for _, one in asked])
    name = source_name(benchmark.source)
    return [
        f"{name}, row {number} (id {one.id}), column {column}: {one.answer!r} has no mathematical reading"
        for (number, one), fine in zip(asked, readable, strict=True)
        if not fine
    ]
