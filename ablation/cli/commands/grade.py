"""`ablation grade`: verdicts on anybody's completions."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `grade`."""
    grade = commands.add_parser(
        "grade",
        help="grade completions: JSON lines with answer, completion and, if known, finish_reason",
        description="Writes the same rows in the same order with `verdict` and `extracted` added.",
    )
    grade.add_argument("source", type=Path, metavar="IN.jsonl")
    grade.add_argument("--output", type=Path, required=True, metavar="OUT.jsonl")
    grade.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes for algebra")
    grade.set_defaults(run=_grade)


def _grade(given: argparse.Namespace) -> int:
    from ablation.errors import DataError
    from ablation.evaluation.grading.grade_file import grade_file
    from ablation.evaluation.grading.verdict import VERDICTS
    from ablation.specs.versions import GRADER

    if not given.source.is_file():
        raise DataError(f"{given.source} is not a file; give JSON lines with answer and completion")
    if not given.output.parent.is_dir():
        raise DataError(f"{given.output.parent} is not a folder; make it first, or give another --output")
    counts = grade_file(given.source, given.output, max(1, given.workers))
    told = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS)
    print(f"{counts.total():,} completions: {told}\ngrader {GRADER}: {given.output}")
    return 0
