"""`ablation grade IN.jsonl`: write verdicts on completions of any origin, and print how many there are of each."""

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
    grade.set_defaults(run=_grade_completions)


def _grade_completions(options: argparse.Namespace) -> int:
    from ablation.errors import DataError
    from ablation.evaluation.grading.grade_file import grade_file
    from ablation.evaluation.grading.verdict import VERDICTS
    from ablation.specs.versions import GRADER

    if not options.source.is_file():
        raise DataError(f"{options.source} is not a file; give JSON lines with answer and completion")
    if not options.output.parent.is_dir():
        raise DataError(f"{options.output.parent} is not a folder; make it first, or give another --output")
    counts = grade_file(options.source, options.output, max(1, options.workers))
    verdicts = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS)
    print(f"{counts.total():,} completions: {verdicts}\ngrader {GRADER}: {options.output}")
    return 0
