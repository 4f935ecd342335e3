"""The benchmark: questions in the AIME24 schema, chosen by the tier rule from the kept reference runs."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ablation.data.benchmark.tier_rule import ReferenceCount, question_tiers
from ablation.mini import BENCHMARK, CANDIDATE_TIERS, CANDIDATES, REFERENCE_RUNS, TIERS
from ablation.mini.candidates import candidates
from ablation.mini.corpus import solution
from ablation.mini.question_choice import TIER_RULE, choose_questions

CHOICE_SEED = "choice"
REFERENCE_COLUMNS = ("question", "role", "model", "attempts", "correct")


def question_row(identifier: int) -> dict[str, Any]:
    """Return a candidate as a row in the AIME24 schema; its answer has three digits, as in AIME24."""
    problem = candidates()[identifier]
    return {
        "id": identifier,
        "problem": problem.text,
        "solution": solution(problem),
        "answer": f"{problem.answer:03d}",
        "url": f"ablation.mini/{problem.problem_type}/{problem.depth}",
    }


def write_questions(path: Path, identifiers: Iterable[int]) -> None:
    """Write these candidates as a benchmark, one JSON object a line."""
    path.write_text("".join(json.dumps(question_row(i)) + "\n" for i in identifiers))


def read_reference_runs(path: Path) -> list[ReferenceCount[int]]:
    """Read the counts of the reference models, one for each question and model."""
    with path.open(newline="") as lines:
        return [
            ReferenceCount(int(row["question"]), row["role"], row["model"], int(row["attempts"]), int(row["correct"]))
            for row in csv.DictReader(lines)
        ]


def write_reference_runs(path: Path, counts: Iterable[ReferenceCount[int]]) -> None:
    """Write the counts as `read_reference_runs` reads them."""
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(REFERENCE_COLUMNS)
        writer.writerows((count.question, count.role, count.model, count.attempts, count.correct) for count in counts)


def write_candidates() -> None:
    """Write the benchmark of the reference runs: all candidates, divided by their number of steps."""
    write_questions(CANDIDATES, range(len(candidates())))
    by_depth: dict[str, list[int]] = {}
    for identifier, problem in enumerate(candidates()):
        by_depth.setdefault(f"steps{problem.depth:02d}", []).append(identifier)
    write_tier_ids(CANDIDATE_TIERS, by_depth)


def write_tier_ids(path: Path, members: Mapping[str, list[int]]) -> None:
    """Write tier → ids of its questions as YAML, one tier a line."""
    path.write_text("".join(f"{name}: {json.dumps(ids)}\n" for name, ids in members.items()))


def write_benchmark() -> None:
    """Apply the rule to the kept reference runs and write the chosen questions and their tiers."""
    chosen = choose_questions(question_tiers(read_reference_runs(REFERENCE_RUNS), TIER_RULE), CHOICE_SEED)
    write_questions(BENCHMARK, sorted(i for ids in chosen.values() for i in ids))
    write_tier_ids(TIERS, chosen)


def read_tier_ids(path: Path) -> dict[str, list[int]]:
    """Read tier → ids of its questions."""
    loaded: dict[str, list[int]] = yaml.safe_load(path.read_text())
    return loaded
