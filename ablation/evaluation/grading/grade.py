"""The grade stage: one verdict for every planned attempt. Grading again never samples again."""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ablation.data.benchmark import sampled_questions
from ablation.errors import RecordError
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import VERDICTS, UngradedCompletion, grade_completions
from ablation.evaluation.pass_line import Decision
from ablation.specs.cell import Cell
from ablation.specs.versions import GRADER
from ablation.store.records import (
    SUMMARY_FILE,
    TIMING_FILE,
    VERDICTS_FILE,
    Verdict,
    read_completions,
    write_json,
    write_rows,
)


def grade(cell: Cell, samples: Sequence[Path], folder: Path) -> None:
    """Write ``verdicts.jsonl``, ``summary.json`` and the time that grading took.

    Raises RecordError unless there is exactly one completion for each planned attempt. Where a pass line ends the sampling, the
    attempts that were made must decide it, else RecordError is raised; the decision is then in ``summary.json``.
    """
    started = time.perf_counter()
    answers = {question.id: question.answer for question in sampled_questions(cell.benchmark, cell.sample)}
    rows = read_completions(samples, list(answers))
    planned = [(question, attempt) for question in answers for attempt in range(cell.sample.n)]
    # A decided pass line leaves attempts out, anywhere in the order. The others must be planned, in order, and once each.
    made = {(row.question, row.attempt) for row in rows}
    due = [attempt for attempt in planned if attempt in made] if cell.sample.decides else planned
    if [(row.question, row.attempt) for row in rows] != due:
        raise RecordError(f"{samples[0]}: {len(rows)} completions do not match the {len(planned)} planned attempts")
    with MathVerify() as algebra:
        attempts = (UngradedCompletion(row.text, row.finish_reason, answers[row.question]) for row in rows)
        verdicts = [
            Verdict(question=row.question, attempt=row.attempt, verdict=graded.verdict, extracted=graded.extracted)
            for row, graded in zip(rows, grade_completions(attempts, algebra), strict=True)
        ]
    write_rows(folder / VERDICTS_FILE, verdicts)
    counts = {name: sum(row.verdict == name for row in verdicts) for name in VERDICTS}
    summary = {"grader": GRADER, "sympy": version("sympy"), "verdicts": counts}
    if line := cell.sample.decides:
        decision = Decision(line, len(planned))
        decision.count(row.verdict for row in verdicts)
        # Sampling ends early only where this grader decides the line, and all planned attempts always do.
        if decision.answer is None:
            raise RecordError(
                f"{samples[0]}: its {len(rows)} completions do not decide {line}; move it away and run again"
            )
        summary["curtailed"] = decision.as_record()
    write_json(folder / SUMMARY_FILE, summary)
    write_json(folder / TIMING_FILE, {"grade_s": time.perf_counter() - started})
