"""The report: one page that needs no network and is readable without its script, and beside it the long texts and files."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ablation.analysis.effects.conditions import common_k
from ablation.analysis.effects.estimates import estimand
from ablation.analysis.effects.uncertainty import MIN_QUESTIONS
from ablation.analysis.findings.analyse import Analysis, analyse
from ablation.analysis.records.load import load
from ablation.report import tables
from ablation.report.completion_files import FileIndex, read_question_texts, write_completion_files
from ablation.report.display_text import clean, clean_lines
from ablation.report.figures import SmallMultiples, all_figures
from ablation.report.inline_svg import common_span
from ablation.report.ladder_grid import ladder_grid
from ablation.report.paper_files import write_paper
from ablation.report.provenance import provenance_values
from ablation.report.templating import render_template, resource
from ablation.report.trajectory_tables import behaviour_table, similarity_rows
from ablation.store.files import write_text_atomically

MANIFEST_FIELDS = ("command", "created", "hypothesis", "note", "scale")  # a manifest may leave them out
SCRIPTS = ("tables.js", "tips.js", "theme.js", "reader.js")


def write_report(study_dir: Path | str, for_paper: bool = True) -> Path:
    """Write `report/` into the study's folder from its records and return the path of its `index.html`.

    Beside the page stands `texts/`, the completions that the page loads on demand; with `for_paper` also `figures/` and
    `tables/`. The same records give the same bytes. Raises RecordError as `analysis.load` does, OSError where nothing can be
    written.
    """
    return write_analysed_report(analyse(load(study_dir), partial=True), Path(study_dir), for_paper)


def write_analysed_report(analysis: Analysis, folder: Path, for_paper: bool = True) -> Path:
    """Write the report as `write_report` does, from estimates that were already made of this study."""
    page = folder / "report" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    figures = all_figures(analysis)
    index = write_completion_files(analysis.study, folder, page.parent)
    if for_paper:
        write_paper(analysis, figures, page.parent)
    write_text_atomically(page, render_report(analysis, figures, folder, index, for_paper))
    return page


def render_report(
    analysis: Analysis, figures: dict[str, SmallMultiples], folder: Path, index: FileIndex, for_paper: bool
) -> str:
    """Return the page's text. `folder` is the study's, `index` names the file with the completions of each question and cell."""
    context = _context(analysis, figures) | {"provenance": provenance_values(analysis.study, folder)}
    return render_page(
        "page.html.j2",
        context | {"index": index, "saved": figures if for_paper else {}, "data": _data(analysis, folder, index)},
    )


def render_page(template: str, context: dict[str, Any]) -> str:
    """Return a template as a page with style and script inside; its security policy names the script's digest."""
    script = "\n".join(resource(name) for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render_template(
        template, **context, style=Markup(resource("style.css")), script=Markup(script), script_digest=digest
    )


def _context(analysis: Analysis, figures: dict[str, SmallMultiples]) -> dict[str, Any]:
    """Return the values that the templates lay out."""
    study, scores = analysis.study, analysis.scores
    bounds = [*analysis.effects[["low", "high", "estimate"]].to_numpy().ravel(),
              *analysis.slopes[["low", "high", "estimate"]].to_numpy().ravel()]  # fmt: skip
    # All marks of the effects and of the slopes share one axis.
    span = common_span(*(float(bound) for bound in bounds))
    return {
        "study": study,
        "scores": scores,
        "manifest": {key: study.manifest.get(key) for key in MANIFEST_FIELDS},
        "n": study.n_attempts,
        "scopes": [tables.scope_label(scope) for scope in scores.all_and_tiers],
        "findings": analysis.findings,
        "claims": [claim for claim in analysis.claims if claim.verdict != "untestable"],
        "untestable": [claim for claim in analysis.claims if claim.verdict == "untestable"],
        "coverage": analysis.coverage.to_dict("records"),
        "estimand": estimand(scores),
        "min_questions": MIN_QUESTIONS,
        "figures": figures,
        "span": span,
        "effects": tables.estimate_rows(analysis.effects, ["factor", "level", "reference"], span),
        "slopes": tables.estimate_rows(analysis.slopes, ["length", "style"], span),
        "means": tables.level_means(analysis),
        "ladder": ladder_grid(analysis),
        "common_k": common_k(scores),
        "behaviour": behaviour_table(analysis),
        "similarity": similarity_rows(analysis),
        "steps": analysis.ladder,
        "weakest_questions": tables.weakest_questions(analysis),
        "factor_columns": tables.factor_columns(analysis),
        "cells": tables.cell_rows(analysis),
        "decided": tables.decided_rows(analysis),
        "question_map": tables.question_map(analysis),
        "training": tables.training_rows(study),
        "left_out": tables.left_out_rows(study),
    }


def _data(analysis: Analysis, folder: Path, index: FileIndex) -> Markup:
    """Return the values that the script reads, as JSON in which nothing can end the element that it stands in."""
    scores, problems = analysis.scores, read_question_texts(folder)
    names = scores.questions["question"].tolist()
    values = {
        "n": scores.n_attempts,
        "cells": scores.cells["cell"].map(clean).tolist(),
        "questions": [
            {
                "id": clean(name), "tier": clean(tier),
                "problem": clean_lines(problems[name]["problem"]) if name in problems else None,
                "answer": clean(problems[name]["answer"]) if name in problems else None,
            }
            for name, tier in scores.questions[["question", "tier"]].to_numpy().tolist()
        ],
        "correct": scores.correct_cq.tolist(),
        "attempts": scores.attempts_cq.tolist(),
        "files": [[index.get(name, {}).get(clean(cell)) for cell in scores.cells["cell"]] for name in names],
    }  # fmt: skip
    return Markup(json.dumps(values, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"))
