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
from ablation.store.files import write_text_atomically


def write_comparison(first: Path, second: Path) -> tuple[Path, str]:
    """Write `report/against-{first}.html` into the folder of the second study.

    Return its path, and the main difference in words. Raises RecordError as `analysis.load` and `compare_studies` do.
    """
    comparison = compare_studies(load(first), load(second))
    page = second / "report" / f"against-{first.name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(page, render_page("versus.html.j2", _context(comparison)))
    sentences = [_sentence(comparison, comparison.differences.to_dict("records")[0]), _judged_otherwise(comparison)]
    return page, clean(" ".join(filter(None, sentences)))


def _sentence(comparison: StudyComparison, row: EstimateRow) -> str:
    """Return a row of the differences in words."""
    subject = f"{comparison.second.name} instead of {comparison.first.name}, {row['factor']}"
    if row["level"] is not None and row["level"] == row["level"]:  # neither None nor NaN: all cells have no level
        subject += f" {row['level']}"
    return sentence(subject, f"avg@{comparison.second.n_attempts}", counted(row["pairs"], "matched pair"), row)


def _context(comparison: StudyComparison) -> dict[str, Any]:
    """Return the values that the template lays out."""
    # All marks of the page share one axis, so that the two studies can be compared by eye.
    numbers = comparison.differences[["estimate", "low", "high"]].to_numpy(dtype=float).ravel().tolist()
    numbers += [
        float(value)
        for side in ("one", "other")
        for value in comparison.effects[[f"{name}_{side}" for name in ("estimate", "low", "high")]].to_numpy().ravel()
    ]
    span = common_span(*numbers)
    first = comparison.differences.to_dict("records")[0]
    missing = [_judged_otherwise(comparison), *(_missing(study) for study in (comparison.first, comparison.second))]
    return {
        "names": (comparison.first.name, comparison.second.name),
        "missing": [line for line in missing if line],
        "verdict": judge(first),
        "sentence": _sentence(comparison, first),
        "questions": comparison.questions,
        "estimand": estimand(comparison.scores),
        "scopes": [tables.scope_label(scope) for scope in comparison.scores.all_and_tiers],
        "span": span,
        "same": int(comparison.cells["same"].sum()),
        "cells": [_cell(row, comparison.scores.all_and_tiers) for row in comparison.cells.to_dict("records")],
        "differences": [
            row for row in tables.estimate_rows(comparison.differences, ["factor", "level"], span) if row["pairs"]
        ],
        "effects": _effects(comparison, span),
        "alone": [(comparison.first.name, comparison.only_first), (comparison.second.name, comparison.only_second)],
        "fixed": comparison.fixed,
        "data": Markup("null"),
    }


def _missing(study: Study) -> str:
    """Return in words how many cells of a study have no average; empty where all have one."""
    present = coverage(study, Scores.of(study, partial=True))
    short, several = int((~present["complete"] & ~present["mixed"]).sum()), int(present["mixed"].sum())
    planned, sentences = counted(len(present), "cell"), []
    if short:
        sentences.append(f"{study.name}: {short} of {planned} have no complete result yet.")
    if several:
        sentences.append(
            f"{study.name}: {several} of {planned} hold attempts of several evaluators, and have no average."
        )
    return " ".join(sentences)


def _judged_otherwise(comparison: StudyComparison) -> str:
    """Return a caution where the evaluators of the two studies differ; empty where they are the same."""
    changes = [
        f"{name} {first} there, {second} here" for name, first, second in comparison.fixed if name in EVALUATOR_COLUMNS
    ]
    return f"Judged otherwise ({'; '.join(changes)}): a difference may be one between evaluators." if changes else ""


def _cell(row: EstimateRow, scopes: tuple[str, ...]) -> dict[str, Any]:
    """Return a matched pair of cells with both averages in each scope."""
    return {
        "one": row["one"], "other": row["other"], "same": row["same"],
        "pairs": [(tables.heat(row[f"one_{scope}"]), tables.heat(row[f"other_{scope}"])) for scope in scopes],
    }  # fmt: skip


def _effects(comparison: StudyComparison, span: float) -> list[dict[str, Any]]:
    """Return one row a contrast and study: the same contrast of both under each other."""
    rows: list[dict[str, Any]] = []
    for (factor, level, reference), group in comparison.effects.groupby(["factor", "level", "reference"], sort=False):
        for side, study in (("one", comparison.first), ("other", comparison.second)):
            records = [
                {name: row[f"{name}_{side}"] for name in ("estimate", "low", "high", "p_holm", "reason")}
                for row in group.to_dict("records")
            ]
            by_tier = dict(zip(group["tier"], records, strict=True))
            cells = [
                tables.shown_estimate(by_tier[scope], span) if scope in by_tier else None
                for scope in comparison.scores.all_and_tiers
            ]
            label = {"factor": factor, "level": level, "reference": reference}
            rows.append({**label, "study": study.name, "is_first": side == "one", "cells": cells})
    return rows
