"""Two studies on one page: what differs between them, cell by cell and effect by effect."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from ablation.analysis.effects.estimates import estimand
from ablation.analysis.findings.estimate_text import EstimateRow, counted, judge, sentence
from ablation.analysis.findings.study_comparison import StudyComparison, compare_studies
from ablation.analysis.records.evaluators import EVALUATOR_COLUMNS
from ablation.analysis.records.load import Study, load
from ablation.analysis.records.scores import Scores, coverage
from ablation.report import tables
from ablation.report.display_text import clean
from ablation.report.inline_svg import common_span
from ablation.report.page import render_page


def write_comparison(one: Path, other: Path) -> tuple[Path, str]:
    """Write `report/against-{first}.html` into the folder of the second study; its path, and the main difference in words.

    Raises RecordError as `analysis.load` and `compare_studies` do.
    """
    found = compare_studies(load(one), load(other))
    page = other / "report" / f"against-{one.name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    beside = page.with_suffix(".html.tmp")
    beside.write_text(render_page("versus.html.j2", _context(found)), encoding="utf-8")
    beside.replace(page)
    told = [_sentence(found, found.differences.to_dict("records")[0]), _judged_otherwise(found)]
    return page, clean(" ".join(filter(None, told)))


def _sentence(found: StudyComparison, row: EstimateRow) -> str:
    subject = f"{found.other.name} instead of {found.one.name}, {row['factor']}"
    if row["level"] is not None and row["level"] == row["level"]:
        subject += f" {row['level']}"
    return sentence(subject, f"avg@{found.other.n_attempts}", counted(row["pairs"], "matched pair"), row)


def _context(found: StudyComparison) -> dict[str, Any]:
    numbers = found.differences[["estimate", "low", "high"]].to_numpy(dtype=float).ravel().tolist()
    numbers += [
        float(value)
        for side in ("one", "other")
        for value in found.effects[[f"{name}_{side}" for name in ("estimate", "low", "high")]].to_numpy().ravel()
    ]
    span = common_span(*numbers)
    first = found.differences.to_dict("records")[0]
    missing = [_judged_otherwise(found), *(_missing(study) for study in (found.one, found.other))]
    return {
        "names": (found.one.name, found.other.name),
        "missing": [line for line in missing if line],
        "verdict": judge(first),
        "sentence": _sentence(found, first),
        "questions": found.questions,
        "estimand": estimand(found.scores),
        "scopes": [tables.scope_label(scope) for scope in found.scores.all_and_tiers],
        "span": span,
        "same": int(found.cells["same"].sum()),
        "cells": [_cell(row, found.scores.all_and_tiers) for row in found.cells.to_dict("records")],
        "differences": [row for row in tables.estimates(found.differences, ["factor", "level"], span) if row["pairs"]],
        "effects": _effects(found, span),
        "alone": [(found.one.name, found.only_one), (found.other.name, found.only_other)],
        "fixed": found.fixed,
        "data": Markup("null"),
    }


def _missing(study: Study) -> str:
    present = coverage(study, Scores.of(study, partial=True))
    short, several = int((~present["complete"] & ~present["mixed"]).sum()), int(present["mixed"].sum())
    of, told = counted(len(present), "cell"), []
    if short:
        told.append(f"{study.name}: {short} of {of} have no complete result yet.")
    if several:
        told.append(f"{study.name}: {several} of {of} hold attempts of several evaluators, and have no average.")
    return " ".join(told)


def _judged_otherwise(found: StudyComparison) -> str:
    """What to keep in mind where the two were not judged alike; nothing where they were."""
    told = [f"{name} {there} there, {here} here" for name, there, here in found.fixed if name in EVALUATOR_COLUMNS]
    return f"Judged otherwise ({'; '.join(told)}): a difference may be one between evaluators." if told else ""


def _cell(row: EstimateRow, scopes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "one": row["one"], "other": row["other"], "same": row["same"],
        "pairs": [(tables.heat(row[f"one_{scope}"]), tables.heat(row[f"other_{scope}"])) for scope in scopes],
    }  # fmt: skip


def _effects(found: StudyComparison, span: float) -> list[dict[str, Any]]:
    """One row a contrast and study: the same contrast of both under each other."""
    rows: list[dict[str, Any]] = []
    for (factor, level, reference), group in found.effects.groupby(["factor", "level", "reference"], sort=False):
        for side, study in (("one", found.one), ("other", found.other)):
            records = [
                {name: row[f"{name}_{side}"] for name in ("estimate", "low", "high", "p_holm", "reason")}
                for row in group.to_dict("records")
            ]
            by_tier = dict(zip(group["tier"], records, strict=True))
            cells = [
                tables.estimate(by_tier[scope], span) if scope in by_tier else None
                for scope in found.scores.all_and_tiers
            ]
            label = {"factor": factor, "level": level, "reference": reference}
            rows.append({**label, "study": study.name, "is_first": side == "one", "cells": cells})
    return rows
