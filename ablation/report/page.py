"""The report: one page that needs no network and is readable without its script, and beside it what is too long for a page."""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ablation.analysis.effects.conditions import common_k
from ablation.analysis.effects.estimates import estimand
from ablation.analysis.effects.uncertainty import MIN_QUESTIONS
from ablation.analysis.findings.analyse import Analysis, analyse
from ablation.analysis.records.load import load
from ablation.report import tables
from ablation.report.completion_files import FileIndex, read_problems, write_completion_files
from ablation.report.display_text import clean, clean_lines
from ablation.report.figures import SmallMultiples, all_figures
from ablation.report.inline_svg import common_span
from ablation.report.ladder_grid import ladder_grid
from ablation.report.paper_files import write_paper
from ablation.report.provenance import provenance_values
from ablation.report.trajectory_tables import behaviour_table, similarity_rows

MANIFEST_FIELDS = ("command", "created", "hypothesis", "note", "scale")  # what a manifest may say, or leave out
SCRIPTS = ("tables.js", "tips.js", "theme.js", "reader.js")


def write(study_dir: Path | str, for_paper: bool = True) -> Path:
    """Write `report/` into the study's folder from its records and return the path of its `index.html`.

    Beside the page: `texts/`, what the models wrote, loaded by the page on demand; with `for_paper` also `figures/` and
    `tables/`. The same records give the same bytes. Raises RecordError as `analysis.load` does, OSError where nothing can be
    written.
    """
    return write_analysed(analyse(load(study_dir), partial=True), Path(study_dir), for_paper)


def write_analysed(analysis: Analysis, folder: Path, for_paper: bool = True) -> Path:
    """As `write`, from estimates that were already made of this study."""
    page = folder / "report" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    drawn = all_figures(analysis)
    index = write_completion_files(analysis.study, folder, page.parent)
    if for_paper:
        write_paper(analysis, drawn, page.parent)
    html = render(analysis, drawn, folder, index, for_paper)
    beside = page.with_suffix(".html.tmp")
    beside.write_text(html, encoding="utf-8")
    beside.replace(page)
    return page


def render(
    analysis: Analysis, drawn: dict[str, SmallMultiples], folder: Path, index: FileIndex, for_paper: bool
) -> str:
    """The page's text. `folder` is the study's, `index` the file with the texts of each question and cell."""
    context = _context(analysis, drawn) | {"origin": provenance_values(analysis.study, folder)}
    return render_page(
        "page.html.j2",
        context | {"index": index, "saved": drawn if for_paper else {}, "data": _data(analysis, folder, index)},
    )


def render_page(template: str, context: dict[str, Any]) -> str:
    """A template of ours as a page with style and script inside, both named in its content security policy."""
    script = "\n".join(_resource(name) for name in SCRIPTS)
    environment = Environment(
        loader=PackageLoader("ablation.report"),
        autoescape=True,
        finalize=_cleaned,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **context, style=Markup(_resource("style.css")), script=Markup(script), script_digest=digest
    )


def _context(analysis: Analysis, drawn: dict[str, SmallMultiples]) -> dict[str, Any]:
    study, scores = analysis.study, analysis.scores
    bounds = [*analysis.effects[["low", "high", "estimate"]].to_numpy().ravel(),
              *analysis.slopes[["low", "high", "estimate"]].to_numpy().ravel()]  # fmt: skip
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
        "drawn": drawn,
        "span": span,
        "effects": tables.estimates(analysis.effects, ["factor", "level", "reference"], span),
        "slopes": tables.estimates(analysis.slopes, ["length", "style"], span),
        "means": tables.level_means(analysis),
        "ladder": ladder_grid(analysis),
        "common_k": common_k(scores),
        "ways": behaviour_table(analysis),
        "likeness": similarity_rows(analysis),
        "steps": analysis.ladder,
        "violating": tables.weakest_questions(analysis),
        "factor_columns": tables.factor_columns(analysis),
        "cells": tables.cell_rows(analysis),
        "decided": tables.decided_rows(analysis),
        "question_map": tables.question_map(analysis),
        "training": tables.training_rows(study),
        "left_out": tables.left_out(study),
    }


def _data(analysis: Analysis, folder: Path, index: FileIndex) -> Markup:
    """What the script needs, as JSON in which nothing can end the element that it stands in."""
    scores, asked = analysis.scores, read_problems(folder)
    names = scores.questions["question"].tolist()
    told = {
        "n": scores.n_attempts,
        "cells": scores.cells["cell"].map(clean).tolist(),
        "questions": [
            {
                "id": clean(name), "tier": clean(tier),
                "problem": clean_lines(asked[name]["problem"]) if name in asked else None,
                "answer": clean(asked[name]["answer"]) if name in asked else None,
            }
            for name, tier in scores.questions[["question", "tier"]].to_numpy().tolist()
        ],
        "correct": scores.correct_cq.tolist(),
        "attempts": scores.attempts_cq.tolist(),
        "files": [[index.get(name, {}).get(clean(cell)) for cell in scores.cells["cell"]] for name in names],
    }  # fmt: skip
    return Markup(json.dumps(told, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"))


def _cleaned(value: object) -> object:
    """What every expression of a template passes through; Markup is ours and stays as it is."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _resource(name: str) -> str:
    return (files("ablation.report") / "templates" / name).read_text(encoding="utf-8")
