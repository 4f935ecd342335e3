"""The rows that one stage writes and another reads, and their files: one JSON object a line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from ablation.errors import RecordError
from ablation.specs.base import Spec

COMPLETIONS_FILE = "completions.jsonl"
VERDICTS_FILE = "verdicts.jsonl"
LOSS_FILE = "loss.jsonl"
SUMMARY_FILE = "summary.json"
TIMING_FILE = "timing.json"
WEIGHTS_FOLDER = "weights"


class Question(Spec):
    """A question of a benchmark."""

    id: str
    problem: str
    answer: str
    """The reference as printed (``025``)."""


class Trajectory(Spec):
    """A worked solution of a problem by one author, on which a cell trains."""

    id: str
    problem_type: str | None
    """The category of the problem, as the corpus names it."""
    source: str | None = None
    """The data set of the corpus that the problem is from."""
    style: str
    """The author."""
    tokens: int
    """Length of the generation under the model's tokenizer."""
    problem: str
    generation: str


class Update(Spec):
    """One optimizer update of the loss curve."""

    update: int
    loss: float
    """Per target token."""
    learning_rate: float
    grad_norm: float
    examples: int
    """Examples of this update."""
    tokens: int
    """Tokens of this update."""
    total_tokens: int
    """Tokens since the first update."""


class Completion(Spec):
    """One attempt at a question, as sampled."""

    question: str
    attempt: int
    """Number of the attempt at its question, from 0."""
    text: str
    tokens: int
    """Tokens that were generated, the end token included."""
    finish_reason: Literal["stop", "length", "repetition"]


class Verdict(Spec):
    """The grader's verdict on one attempt.

    Every planned attempt of a complete cell has exactly one verdict, and a verdict is exactly one of five words: with Q questions
    and n attempts at each, the pairs (question, attempt) of the rows are all Q × n, each once, and

        correct + wrong + no_answer + truncated + ungradable = Q × n.

    A missing attempt is none of the five. A cell that lacks one has no verdicts at all, since its stage is not complete. Where a
    pass line ends the sampling, the same holds for the attempts that were made. The grade stage refuses any other rows.
    """

    question: str
    attempt: int
    """Number of the attempt at its question, from 0."""
    verdict: Literal["correct", "wrong", "no_answer", "truncated", "ungradable"]
    """``truncated`` completions are never parsed. ``ungradable`` is neither correct nor wrong: the grader reached its limits."""
    extracted: str | None
    """The answer that was read from the text; None where none was."""


Row = TypeVar("Row", bound=Spec)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write one JSON object a line, in order."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(row.model_dump_json() + "\n" for row in rows)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """Return all rows of a file. Raises RecordError naming file and line."""
    rows: list[Row] = []
    try:
        with path.open("rb") as stream:
            rows.extend(kind.model_validate_json(line) for line in stream)
    except ValidationError as error:
        fault = f"line {len(rows) + 1} is not a {kind.__name__}: {error.errors()[0]['msg']}"
        raise _damaged(path, fault) from error
    except OSError as error:
        raise _damaged(path, error.strerror) from error
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """Return a small JSON document of a stage, or an empty one where there is no file. Raises RecordError."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, fault: object) -> RecordError:
    return RecordError(
        f"{path} is damaged ({fault}); `ablation verify STUDY` names all that is; move {path.parent} away and launch again"
    )


def read_completions(folders: Sequence[Path], questions: Sequence[str]) -> list[Completion]:
    """Return the completions of all blocks of attempts, in the order of `questions` and then of attempts. Raises RecordError."""
    rows = [row for folder in folders for row in read_rows(folder / COMPLETIONS_FILE, Completion)]
    order = {question: index for index, question in enumerate(questions)}
    return sorted(rows, key=lambda row: (order.get(row.question, len(order)), row.attempt))


def write_json(path: Path, content: object) -> None:
    """Write a small JSON document, keys in the given order."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
