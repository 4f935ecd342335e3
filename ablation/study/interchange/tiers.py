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
    """Tier → ids by the rule, and in words where a label says otherwise."""

    rule: TierRule
    members: dict[str, list[str]]
    told: list[str]


def counts_of(
    study: Study, base: Collection[str], small: Collection[str], small_count: int
) -> list[ReferenceCount[str]]:
    """Every cell's correct attempts at every question, with the cell's role by its name or its count.

    A cell without name and count is large. Raises RecordError where a name is no cell, or a role of the rule has none. Cells
    that are `left_out` are not counted.
    """
    without = apart(study)
    if unknown := [name for name in (*base, *small) if name not in study.planned]:
        raise RecordError(f"no cell {', '.join(unknown)} in {study.name}; it has: {', '.join(study.planned)}")
    counts = study.cells["count"].to_numpy(dtype=float, na_value=float("nan"))
    roles = {
        str(cell): _role(str(cell), count, base, small, small_count)
        for cell, count in zip(study.cells["cell"], counts, strict=True)
        if cell not in without
    }
    if absent := [role for role in ROLES[:2] if role not in roles.values()]:
        raise RecordError(
            f"{study.name} has no cell of role {' and none of '.join(absent)}, which the rule needs; "
            f"name one: {' '.join(f'--{role} CELL' for role in absent)}; cells: {', '.join([*roles, *left_out(study)])}"
        )
    right = (study.results["verdict"] == "correct").groupby(
        [study.results["question"], study.results["cell"]], sort=False
    )
    return [
        ReferenceCount(str(question), roles[str(cell)], str(cell), int(one.size), int(one.sum()))
        for (question, cell), one in right
        if cell not in without
    ]


def left_out(study: Study) -> list[str]:
    """One sentence for each cell whose pass rates are not pooled with others', since evaluators differ."""
    return [f"left out: {cell}, {reason}" for cell, reason in apart(study).items()]


def derive(counts: Sequence[ReferenceCount[str]], rule: TierRule, labels: Mapping[str, str]) -> DerivedTiers:
    """The tiers, and one sentence for each question whose label is another tier."""
    try:
        found = question_tiers(counts, rule)
    except ValueError as error:
        raise RecordError(f"{error}; run these cells, or leave them out of the study") from error
    members = {name: sorted((one for one in found if found[one] == name), key=_by_number) for name in STUDY_TIERS}
    differing = disagreements(found, labels)
    if not labels:
        return DerivedTiers(rule, members, ["no labels to compare with"])
    head = f"rule and labels agree on {len(found) - len(differing)} of {len(found)} questions"
    told = [f"{one}: label {labels[one]}, rule {found[one]} ({_rates(one, counts)})" for one in differing]
    return DerivedTiers(rule, members, [head, *told])


def read_labels(study: Study, file: Path | None) -> dict[str, str]:
    """The tier of each question in a file, else as recorded; empty where the record has only one tier."""
    if file is not None:
        from ablation.data.benchmark.tiers import tier_members
        from ablation.specs import Source

        return {one: tier for tier, members in tier_members(Source(path=str(file))).items() for one in members}
    known = dict(zip(study.results["question"].astype(str), study.results["tier"].astype(str), strict=True))
    return known if set(known.values()) & set(STUDY_TIERS) else {}


def write_tiers(file: Path, derived: DerivedTiers, study: str) -> None:
    """Write tier → ids as YAML, with the rule above them, for ``benchmark.tiers.path``."""
    head = [f"Tiers by pass rates recorded in study {study}.", *derived.rule.stated(), *derived.told]
    ids = {tier: [_as_written(one) for one in members] for tier, members in derived.members.items()}
    body = [f"{tier}: {json.dumps(members)}\n" for tier, members in ids.items()]
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
        mine = [count for count in counts if count.question == question and count.role == role]
        if mine:
            right, of = sum(one.correct for one in mine), sum(one.attempts for one in mine)
            parts.append(f"{role} {right} of {of} = {pooled_rate(mine):.1%}")
    return ", ".join(parts)


def _as_written(identifier: str) -> int | str:
    """A number as a number, unless it would lose a zero."""
    return int(identifier) if identifier.isdigit() and str(int(identifier)) == identifier else identifier


def _by_number(identifier: str) -> tuple[int, str]:
    return (int(identifier) if identifier.isdigit() else -1, identifier)
