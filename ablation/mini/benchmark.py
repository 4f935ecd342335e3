"""The benchmark: questions in the AIME24 schema, chosen by the tier rule from the kept reference runs."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ablation.mini import BENCHMARK, CANDIDATE_TIERS, CANDIDATES, REFERENCE_RUNS, TIERS
from ablation.mini.corpus import solution
from ablation.mini.holdout import candidates
from ablation.mini.tiers import Count, choose, tiers

SEED = "choice"
COLUMNS = ("question", "role", "model", "attempts", "correct")


def question_row(identifier: int) -> dict[str, Any]:
    """A candidate in the AIME24 schema; the answer has three digits as there."""
    problem = candidates()[identifier]
    return {
        "id": identifier,
        "problem": problem.text,
        "solution": solution(problem),
        "answer": f"{problem.answer:03d}",
        "url": f"ablation.mini/{problem.category}/{problem.depth}",
    }


def write_questions(path: Path, identifiers: Iterable[int]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(question_row(i)) + "\n" for i in identifiers))


def read_reference_runs(path: Path) -> list[Count]:
    """The counts of the reference models, one row per question and model."""
    with path.open(newline="") as lines:
        return [
            Count(int(row["question"]), row["role"], row["model"], int(row["attempts"]), int(row["correct"]))
            for row in csv.DictReader(lines)
        ]


def write_reference_runs(path: Path, counts: Iterable[Count]) -> None:
    """The inverse of `read_reference_runs`."""
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((count.question, count.role, count.model, count.attempts, count.correct) for count in counts)


def write_candidates() -> None:
    """Write the benchmark of the reference runs: all candidates, divided by their number of steps."""
    write_questions(CANDIDATES, range(len(candidates())))
    by_depth: dict[str, list[int]] = {}
    for identifier, problem in enumerate(candidates()):
        by_depth.setdefault(f"steps{problem.depth:02d}", []).append(identifier)
    write_tiers(CANDIDATE_TIERS, by_depth)


def write_tiers(path: Path, members: Mapping[str, list[int]]) -> None:
    """Tier → ids as YAML, one tier a line."""
    path.write_text("".join(f"{name}: {json.dumps(mine)}\n" for name, mine in members.items()))


def write_benchmark() -> None:
    """Apply the rule to the kept reference runs and write the chosen questions and their tiers."""
    chosen = choose(tiers(read_reference_runs(REFERENCE_RUNS)), SEED)
    write_questions(BENCHMARK, sorted(i for mine in chosen.values() for i in mine))
    write_tiers(TIERS, chosen)


def read_tiers(path: Path) -> dict[str, list[int]]:
    """Tier → ids."""
    loaded: dict[str, list[int]] = yaml.safe_load(path.read_text())
    return loaded
