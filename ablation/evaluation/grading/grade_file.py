"""Anybody's completions graded: JSON lines in, the same lines out in the same order, with verdict and extracted answer added."""

import json
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ablation.errors import DataError, did_you_mean
from ablation.evaluation.grading.algebra import MathVerify
from ablation.evaluation.grading.verdict import CUT_OFF, FINISHED, UngradedCompletion, VerdictName, grade_completions

COLUMNS = ("answer", "completion", "finish_reason")


def grade_file(source: Path, target: Path, workers: int) -> Counter[VerdictName]:
    """Grade `source` into `target`, which appears whole or not at all. Blank lines are left out; memory does not grow with the
    number of rows.

    Raises DataError naming row (from 0) and column for anything that is not an answer, a completion or a finish reason.
    """
    counts = Counter[VerdictName]()
    beside = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        with (
            source.open("rb") as lines,
            beside.open("w", encoding="utf-8") as out,
            MathVerify(workers) as algebra,
        ):
            waiting: deque[dict[str, Any]] = (
                deque()
            )  # a row is there until it is judged; `tee` would keep some sixty more
            for judged in grade_completions(_attempts(lines, source, waiting), algebra):
                counts[judged.verdict] += 1
                out.write(_line({**waiting.popleft(), "verdict": judged.verdict, "extracted": judged.extracted}))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return counts


def _attempts(lines: BinaryIO, source: Path, waiting: deque[dict[str, Any]]) -> Iterator[UngradedCompletion]:
    for placed in _rows(lines, source):
        attempted = _attempted(placed)
        waiting.append(placed[1])
        yield attempted


def _rows(lines: BinaryIO, source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each row stands, and its content."""
    for number, line in enumerate(line for line in lines if line.strip()):
        where = f"{source}, row {number}"
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: not an object with {', '.join(COLUMNS[:2])} and, if known, {COLUMNS[2]}")
        yield where, row


def _attempted(placed: tuple[str, dict[str, Any]]) -> UngradedCompletion:
    where, row = placed
    answer, completion, reason = (row.get(column) for column in COLUMNS)
    for column in COLUMNS[:2]:
        if column not in row:
            raise DataError(f"{where}, column {column}: missing{did_you_mean(column, row)}")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise DataError(
            f"{where}, column answer: not a text or a number with something in it, but {json.dumps(answer)}"
        )
    if not isinstance(completion, str):
        raise DataError(f"{where}, column completion: not a text, but {json.dumps(completion)[:80]}")
    ended = (reason.casefold() or None) if isinstance(reason, str) else reason
    if ended is not None and ended not in (*FINISHED, *CUT_OFF):
        allowed = ", ".join((*FINISHED, *CUT_OFF))
        raise DataError(f"{where}, column finish_reason: given {json.dumps(reason)[:80]}; allowed: {allowed}, null")
    return UngradedCompletion(completion, ended, str(answer))


def _line(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is legal in JSON, but only as an escape
        text = json.dumps(row)
    return text + "\n"
