"""Tiers of a study's questions by the rule of ablation/data/benchmark/tier_rule.py, set beside the labels there are."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import yaml

from ablation.analysis.records.evaluators import apart
from ablation.analysis.records.load import Study
from ablation.data.benchmark.tier_rule import (
    ROLES,
    STUDY_TIERS,
    ReferenceCount,
    TierRule,
    disagreements,
    pooled_rate,
    question_tiers,
)
from ablation.errors import RecordError
from ablation.store.files import write_text_atomically


@dataclass(frozen=True)
class DerivedTiers:
    """The tiers by the rule, beside the labels."""

    rule: TierRule
    members: dict[str, list[str]]
    """Tier → ids of its questions."""
    sentences: list[str]
    """The agreement with the labels, then one sentence for each question whose label is another tier."""


def counts_of(
    study: Study, base: Collection[str], small: Collection[str], small_count: int
) -> list[ReferenceCount[str]]:
    """Return every cell's correct attempts at every question, with the role of the cell.

    The role is by the names in `base` and `small`, else by the count of the cell: 0 is base, up to `small_count` is small. Any
    other cell is large. Raises RecordError where a name is no cell, or a role of the rule has none. Cells
    that are `left_out` are not counted.
    """
    # Pass rates of different evaluators are not pooled.
    excluded = apart(study)
    if unknown := [name for name in (*base, *small) if name not in study.planned]:
        raise RecordError(f"no cell {', '.join(unknown)} in {study.name}; it has: {', '.join(study.planned)}")
    counts = study.cells["count"].to_numpy(dtype=float, na_value=float("nan"))
    roles = {
        str(cell): _role(str(cell), count, base, small, small_count)
        for cell, count in zip(study.cells["cell"], counts, strict=True)
        if cell not in excluded
    }
    if absent := [role for role in ROLES[:2] if role not in roles.values()]:
        raise RecordError(
            f"{study.name} has no cell of role {' and none of '.join(absent)}, which the rule needs; "
            f"name one: {' '.join(f'--{role} CELL' for role in absent)}; cells: {', '.join([*roles, *left_out(study)])}"
        )
    is_correct = study.results["verdict"] == "correct"
    by_question_and_cell = is_correct.groupby([study.results["question"], study.results["cell"]], sort=False)
    return [
        ReferenceCount(str(question), roles[str(cell)], str(cell), int(attempts.size), int(attempts.sum()))
        for (question, cell), attempts in by_question_and_cell
        if cell not in excluded
    ]


def left_out(study: Study) -> list[str]:
    """Return one sentence for each cell whose pass rates are not pooled with those of others, since evaluators differ."""
    return [f"left out: {cell}, {reason}" for cell, reason in apart(study).items()]


def derive(counts: Sequence[ReferenceCount[str]], rule: TierRule, labels: Mapping[str, str]) -> DerivedTiers:
    """Return the tiers by the rule, compared with the labels (question → tier).

    Raises RecordError where the counts do not suffice for the rule.
    """
    try:
        tier_of = question_tiers(counts, rule)
    except ValueError as error:
        raise RecordError(f"{error}; run these cells, or leave them out of the study") from error
    members = {
        name: sorted((question for question in tier_of if tier_of[question] == name), key=_by_number)
        for name in STUDY_TIERS
    }
    differing = disagreements(tier_of, labels)
    if not labels:
        return DerivedTiers(rule, members, ["no labels to compare with"])
    head = f"rule and labels agree on {len(tier_of) - len(differing)} of {len(tier_of)} questions"
    sentences = [
        f"{question}: label {labels[question]}, rule {tier_of[question]} ({_rates(question, counts)})"
        for question in differing
    ]
    return DerivedTiers(rule, members, [head, *sentences])


def read_labels(study: Study, file: Path | None) -> dict[str, str]:
    """Return question → tier: of the file, else as recorded. Empty where the record has none of the study's tiers."""
    if file is not None:
        from ablation.data.benchmark.tiers import tier_members
        from ablation.specs import Source

        return {question: tier for tier, ids in tier_members(Source(path=str(file))).items() for question in ids}
    recorded = dict(zip(study.results["question"].astype(str), study.results["tier"].astype(str), strict=True))
    return recorded if set(recorded.values()) & set(STUDY_TIERS) else {}


def write_tiers(file: Path, derived: DerivedTiers, study: str) -> None:
    """Write tier → ids as YAML, with the rule above them, for ``benchmark.tiers.path``."""
    head = [f"Tiers by pass rates recorded in study {study}.", *derived.rule.stated(), *derived.sentences]
    ids = {tier: [_as_written(question) for question in members] for tier, members in derived.members.items()}
    body = [f"{tier}: {json.dumps(members)}\n" for tier, members in ids.items()]
    # These lines are made without a YAML library: what they hold must be read back as the same ids.
    assert yaml.safe_load("".join(body)) == ids
    write_text_atomically(file, "".join(f"# {line}\n" for line in head) + "".join(body))


def _role(cell: str, count: float, base: Collection[str], small: Collection[str], small_count: int) -> str:
    if cell in base or cell in small:
        return "base" if cell in base else "small"
    if isnan(count):
        return "large"
    return "base" if count == 0 else "small" if count <= small_count else "large"


def _rates(question: str, counts: Sequence[ReferenceCount[str]]) -> str:
    parts = []
    for role in ROLES:
        role_counts = [count for count in counts if count.question == question and count.role == role]
        if role_counts:
            correct = sum(count.correct for count in role_counts)
            attempts = sum(count.attempts for count in role_counts)
            parts.append(f"{role} {correct} of {attempts} = {pooled_rate(role_counts):.1%}")
    return ", ".join(parts)


def _as_written(identifier: str) -> int | str:
    """Return a number as a number, unless it would lose a zero."""
    return int(identifier) if identifier.isdigit() and str(int(identifier)) == identifier else identifier


def _by_number(identifier: str) -> tuple[int, str]:
    return (int(identifier) if identifier.isdigit() else -1, identifier)
