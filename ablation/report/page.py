"""The report as one HTML file that needs nothing else: no network, no other file, no script to be readable."""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ablation.analysis.analyse import Analysis, analyse
from ablation.analysis.estimates import estimand
from ablation.analysis.study import load
from ablation.analysis.uncertainty import MIN_QUESTIONS
from ablation.report import figures, tables
from ablation.report.text import clean

RECORDED = ("command", "created", "hypothesis", "note", "scale")  # what a manifest may say, or leave out


def write(study_dir: Path | str) -> Path:
    """Write `report/index.html` into the study's folder from its records and return its path.

    The same records give the same bytes. Raises RecordError as `analysis.load` does, OSError where nothing can be
    written.
    """
    page = Path(study_dir) / "report" / "index.html"
    html = render(analyse(load(study_dir), partial=True))
    page.parent.mkdir(parents=True, exist_ok=True)
    beside = page.with_suffix(".html.tmp")
    beside.write_text(html, encoding="utf-8")
    beside.replace(page)
    return page


def render(analysis: Analysis) -> str:
    """The page's text."""
    script = _resource("sort.js")
    environment = Environment(
        loader=PackageLoader("ablation.report"),
        autoescape=True,
        finalize=_cleaned,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template.render(
        **_context(analysis), style=Markup(_resource("style.css")), script=Markup(script), script_digest=digest
    )


def _context(analysis: Analysis) -> dict[str, Any]:
    study, tally = analysis.study, analysis.tally
    return {
        "study": study,
        "tally": tally,
        "manifest": {key: study.manifest.get(key) for key in RECORDED},
        "origin": {key: (study.manifest.get("provenance") or {}).get(key) for key in ("git", "hostname", "versions")},
        "n": study.n_attempts,
        "scopes": [tables.scope_label(scope) for scope in tally.scopes],
        "findings": analysis.findings,
        "coverage": analysis.coverage.to_dict("records"),
        "estimand": estimand(tally),
        "min_questions": MIN_QUESTIONS,
        "scaling_figure": figures.scaling_figure(analysis),
        "effects_figure": figures.effects_figure(analysis),
        "effects": tables.estimates(analysis.effects, ["factor", "level", "reference"]),
        "slopes": tables.estimates(analysis.slopes, ["length", "style"]),
        "means": tables.level_means(analysis),
        "factor_columns": tables.factor_columns(analysis),
        "cells": tables.cell_rows(analysis),
        "decided": tables.decided_rows(analysis),
        "question_map": tables.question_map(analysis),
        "training": tables.training_rows(study),
        "left_out": tables.left_out(study),
    }


def _cleaned(value: object) -> object:
    """What every expression of a template passes through; Markup is ours and stays as it is."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _resource(name: str) -> str:
    return (files("ablation.report") / "templates" / name).read_text(encoding="utf-8")
