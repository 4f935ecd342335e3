"""The rows that cross stages, and how they stand in files: one JSON object a line."""

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
    """One benchmark question; `answer` is the reference as printed (``025``)."""

    id: str
    problem: str
    answer: str


class Trajectory(Spec):
    """One worked generation: what a cell trains on. `tokens` counts the generation under the model's tokenizer."""

    id: str
    problem_type: str | None
    source: str | None = None
    style: str
    tokens: int
    problem: str
    generation: str


class Update(Spec):
    """One optimizer update of the loss curve; losses are per target token, `total_tokens` counts from the first update."""

    update: int
    loss: float
    learning_rate: float
    grad_norm: float
    examples: int
    tokens: int
    total_tokens: int


class Completion(Spec):
    """One attempt at a question, as sampled. `tokens` counts what was generated, the end token included."""

    question: str
    attempt: int
    text: str
    tokens: int
    finish_reason: Literal["stop", "length", "repetition"]


class Verdict(Spec):
    """What the grader says of one attempt; `extracted` is the answer it found."""

    question: str
    attempt: int
    verdict: Literal["correct", "wrong", "no_answer", "truncated", "ungradable"]
    extracted: str | None


Row = TypeVar("Row", bound=Spec)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write one JSON object a line, in order."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(row.model_dump_json() + "\n" for row in rows)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """All rows of a file. Raises RecordError naming file and line."""
    rows: list[Row] = []
    try:
        with path.open("rb") as stream:
            rows.extend(kind.model_validate_json(line) for line in stream)
    except ValidationError as error:
        what = f"line {len(rows) + 1} is not a {kind.__name__}: {error.errors()[0]['msg']}"
        raise _damaged(path, what) from error
    except OSError as error:
        raise _damaged(path, error.strerror) from error
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON document of a stage, or an empty one where there is none. Raises RecordError."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, why: object) -> RecordError:
    return RecordError(
        f"{path} is damaged ({why}); `ablation verify STUDY` names all that is; move {path.parent} away and launch again"
    )


def read_completions(folders: Sequence[Path], questions: Sequence[str]) -> list[Completion]:
    """The completions of all blocks of attempts, ordered by question and attempt. Raises RecordError."""
    rows = [row for folder in folders for row in read_rows(folder / COMPLETIONS_FILE, Completion)]
    order = {question: index for index, question in enumerate(questions)}
    return sorted(rows, key=lambda row: (order.get(row.question, len(order)), row.attempt))


def write_json(path: Path, content: object) -> None:
    """Write a small JSON document, keys in the given order."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
