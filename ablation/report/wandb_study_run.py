"""A study as one W&B run: its findings, tables and figures, and the report as an artifact. Cells have runs of their own."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.analysis.findings.analyse import Analysis, analyse
from ablation.analysis.findings.claims import claims_frame
from ablation.analysis.records.load import load
from ablation.config.tracker import Mode, Tracker
from ablation.report.display_text import clean
from ablation.report.figures import all_figures
from ablation.report.wandb_dashboard import save_dashboard
from ablation.store.files import sha256, write_text_atomically

if TYPE_CHECKING:
    import wandb

JOB_TYPE = "study"
_TABLES = ("effects", "slopes", "means")


def track_study(folder: Path, ledger: Path, tracker: Tracker, mode: Mode) -> tuple[list[str], list[str]]:
    """Log the study once for each state of its results. Return (lines worth reading, errors in words); raises nothing."""
    note = ledger / f"study-{folder.name}"
    state = sha256(folder / "results.parquet")
    if note.is_file() and note.read_text(encoding="utf-8").strip() == f"{mode} {state}":
        return [], []
    try:
        analysis = analyse(load(folder), partial=True)
        lines = _log(analysis, folder, ledger / f"study-{folder.name}.pages.json", tracker, mode)
    except Exception as error:  # noqa: BLE001 a tracker may fail in any way, and must not fail a study
        return [], [f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"]
    write_text_atomically(note, f"{mode} {state}\n")
    return lines, []


def _log(analysis: Analysis, folder: Path, pages: Path, tracker: Tracker, mode: Mode) -> list[str]:
    """Log everything in one run, made or gone on with; return the lines of `save_dashboard` where W&B is online."""
    import wandb

    name = analysis.study.name
    run = wandb.init(
        id=f"study-{name}"[:64], name=f"{name} (study)"[:128], project=tracker.project, entity=tracker.entity, group=name,
        job_type=JOB_TYPE, tags=[name[:64], "study"], config=study_config(analysis), dir=str(folder.parent.resolve()),
        mode=mode, resume="allow", reinit="create_new",
        settings=wandb.Settings(
            init_timeout=tracker.init_timeout_s, finish_timeout=tracker.finish_timeout_s, finish_timeout_raises=True,
            silent=True, console="off", disable_git=True, save_code=False,
            x_disable_stats=True, x_disable_meta=True,
        ),
    )  # fmt: skip
    try:
        run.summary.update(study_summary(analysis))
        run.log({**_tables(analysis), **_figures(analysis)})
        run.log_artifact(_report(folder, name))
        return save_dashboard(run, analysis, pages) if mode == "online" else []
    finally:  # what was logged is kept, also where the pages cannot be saved
        run.finish()


def study_config(analysis: Analysis) -> dict[str, Any]:
    """Return the question and the method: hypothesis, primary comparison, command, fixed choices, code."""
    manifest = analysis.study.manifest
    config = {
        name: manifest.get(name)
        for name in ("study", "hypothesis", "primary", "command", "scale", "fixed", "n", "tiers")
    }
    return {**config, "git": (manifest.get("provenance") or {}).get("git"), "cells": len(analysis.coverage)}


def study_summary(analysis: Analysis) -> dict[str, Any]:
    """Return coverage, every effect and slope with its interval, in points, and the verdicts on the published findings."""
    summary: dict[str, Any] = {
        "cells/planned": len(analysis.coverage),
        "cells/complete": int(analysis.coverage["complete"].sum()),
        "attempts": len(analysis.study.results),
    }
    slopes = analysis.slopes[analysis.slopes["length"].isna()].assign(
        factor="count", level="per doubling", reference=""
    )
    for row in pd.concat([analysis.effects, slopes]).dropna(subset=["estimate", "reference"]).to_dict("records"):
        against = f" instead of {row['reference']}" if row["reference"] != "" else ""
        key = clean(f"effect/{row['factor']} {row['level']}{against}/{row['tier']}")
        for part in ("estimate", "low", "high"):
            if pd.notna(row[part]):
                summary[f"{key}/{part}"] = round(100 * float(row[part]), 4)
    return {**summary, **{f"claim/{claim.name}": claim.verdict for claim in analysis.claims}}


def _tables(analysis: Analysis) -> dict[str, "wandb.Table"]:
    """Return the main tables of the analysis as W&B tables."""
    import wandb

    frames = {name: getattr(analysis, name) for name in _TABLES}
    frames |= {"cells": analysis.study.cells, "claims": claims_frame(analysis.claims)}
    plain = {name: json.loads(frame.to_json(orient="split", double_precision=9)) for name, frame in frames.items()}
    return {f"table/{name}": wandb.Table(columns=table["columns"], data=table["data"], allow_mixed_types=True)
            for name, table in plain.items()}  # fmt: skip


def _figures(analysis: Analysis) -> dict[str, "wandb.Image"]:
    """Return every figure of the report as an image."""
    import wandb

    return {f"figure/{name}": wandb.Image(figure.pixels()) for name, figure in all_figures(analysis).items()}


def _report(folder: Path, name: str) -> "wandb.Artifact":
    """Return an artifact with the page and all files beside it."""
    import wandb

    artifact = wandb.Artifact(f"report-{name}"[:128], type="report")
    for path in sorted((folder / "report").rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            artifact.add_file(str(path), name=os.path.relpath(path, folder / "report"), policy="immutable")
    return artifact
