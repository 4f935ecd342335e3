"""Grading of completions from any source: JSON lines in, the same lines out in order, with verdict and extracted answer."""

import json
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ablation.errors import DataError, did_you_mean
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import CUT_OFF, FINISHED, UngradedCompletion, VerdictName, grade_completions

COLUMNS = ("answer", "completion", "finish_reason")


def grade_file(source: Path, target: Path, workers: int) -> Counter[VerdictName]:
    """Grade `source` into `target` and return the number of completions by verdict.

    `target` appears whole or not at all. Blank lines are left out. Memory does not grow with the number of rows. Raises
    DataError, which names row (from 0) and column, for anything that is not an answer, a completion or a finish reason.
    """
    counts = Counter[VerdictName]()
    beside = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        with (
            source.open("rb") as lines,
            beside.open("w", encoding="utf-8") as out,
            MathVerify(workers) as algebra,
        ):
            # Rows wait here until they are graded. `itertools.tee` would keep some sixty more.
            waiting: deque[dict[str, Any]] = deque()
            for graded in grade_completions(_attempts(lines, source, waiting), algebra):
                counts[graded.verdict] += 1
                out.write(_line({**waiting.popleft(), "verdict": graded.verdict, "extracted": graded.extracted}))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return counts


def _attempts(lines: BinaryIO, source: Path, waiting: deque[dict[str, Any]]) -> Iterator[UngradedCompletion]:
    for where, row in _rows(lines, source):
        attempt = _ungraded(where, row)
        waiting.append(row)
        yield attempt


def _rows(lines: BinaryIO, source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place of each row, as errors name it, and its content."""
    for number, line in enumerate(line for line in lines if line.strip()):
        where = f"{source}, row {number}"
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: not an object with {', '.join(COLUMNS[:2])} and, if known, {COLUMNS[2]}")
        yield where, row


def _ungraded(where: str, row: dict[str, Any]) -> UngradedCompletion:
    answer, completion = row.get("answer"), row.get("completion")
    for column in COLUMNS[:2]:
        if column not in row:
            raise DataError(f"{where}, column {column}: missing{did_you_mean(column, row)}")
    # A bool is an int in Python, but no answer to a problem.
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise DataError(
            f"{where}, column answer: not a text or a number with something in it, but {json.dumps(answer)}"
        )
    if not isinstance(completion, str):
        raise DataError(f"{where}, column completion: not a text, but {json.dumps(completion)[:80]}")
    return UngradedCompletion(completion, _finish_reason(where, row.get("finish_reason")), str(answer))


def _finish_reason(where: str, value: Any) -> str | None:
    # Services differ in the case of their words. An empty text counts as unknown, like null.
    reason = (value.casefold() or None) if isinstance(value, str) else value
    if reason is not None and reason not in (*FINISHED, *CUT_OFF):
        allowed = ", ".join((*FINISHED, *CUT_OFF))
        raise DataError(f"{where}, column finish_reason: given {json.dumps(value)[:80]}; allowed: {allowed}, null")
    return cast("str | None", reason)


def _line(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is legal in JSON, but only as an escape
        text = json.dumps(row)
    return text + "\n"
