"""The manifest of a study: what was planned and what became of it. It is written whenever a command ends."""

import hashlib
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablation.errors import RecordError
from ablation.evaluation.evaluator_name import describe_evaluators
from ablation.specs.base import canonical_json
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import CellState
from ablation.store.files import write_text_atomically
from ablation.store.store import Store
from ablation.study.cell_facts import planned_attempts, released_models, state_of, tier_order
from ablation.study.plan import Plan
from ablation.study.plan_file import pack_cells
from ablation.study.provenance import package_versions
from ablation.study.schema import Manifest, ManifestCell

MANIFEST_FORMAT = 1
MANIFEST = "manifest.json"
# A digest of what tables and report show. It stands there once they show all of a study.
SHOWN = "shown.sha256"
# Cells that failed under a launch that still runs, or that died before it could write the manifest.
FAILED = "failed.jsonl"


def open_study(plan: Plan) -> list[str]:
    """Make the folder ready and return notes for the user. Raises RecordError when the folder is of another format."""
    notes = []
    path = plan.folder / MANIFEST
    if path.exists():
        before = read_manifest(path)
        if before.get("imported"):
            raise RecordError(f"{plan.folder} holds imported records; choose another study=NAME")
        gone = {str(cell["cell"]) for cell in before["cells"]} - {cell.name for cell in plan.cells}
        if gone:
            notes.append(
                f"{len(gone)} cells of before are not asked for now; they leave {plan.folder}, their work stays in the store"
            )
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    return notes


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a study. Raises RecordError when it is damaged or of another format."""
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written_format = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} is not a study's manifest ({error}); move the folder away, or choose another study=NAME"
        ) from error
    if written_format != MANIFEST_FORMAT:
        raise RecordError(
            f"{path} has format {written_format}, this version reads format {MANIFEST_FORMAT}; move the folder away "
            "or choose another study=NAME (the store is shared: what is still valid is found again)"
        )
    return manifest


def read_errors(folder: Path) -> dict[str, str]:
    """Return the failed cells' messages by name: those of the manifest and those noted since. Empty before there is either."""
    path = folder / MANIFEST
    cells = read_manifest(path)["cells"] if path.exists() else []
    return {cell["cell"]: cell["error"] for cell in cells if cell["error"]} | noted_failures(folder)


def note_failure(folder: Path, cell: str, error: str) -> None:
    """Note that a cell has failed. The note counts until the manifest says so."""
    with (folder / FAILED).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([cell, error]) + "\n")


def noted_failures(folder: Path) -> dict[str, str]:
    """Return the messages noted since the manifest was written, by cell. A torn last line is passed over.

    Raises RecordError when the notes cannot be read.
    """
    try:
        lines = (folder / FAILED).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return {str(cell): str(error) for cell, error in map(json.loads, lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise RecordError(
            f"{folder / FAILED} cannot be read ({error}); move it away: the launch command writes it anew"
        ) from error


def write_study(plan: Plan, errors: Mapping[str, str]) -> Path:
    """Write the study's manifest and tables from the store, and return its folder.

    `errors` holds the failed cells' messages by name. Raises RecordError when a stage's folder is of other work, or damaged.
    """
    from ablation.study.tables import write_tables

    (plan.folder / SHOWN).unlink(missing_ok=True)
    write_text_atomically(
        plan.folder / MANIFEST, json.dumps(_manifest(plan, errors), indent=1, ensure_ascii=False) + "\n"
    )
    write_tables(plan.cells, plan.store, plan.folder, errors)
    (plan.folder / FAILED).unlink(missing_ok=True)
    return plan.folder


def mark_shown(plan: Plan) -> None:
    """Note that tables, report and tracker show this plan, all of its cells done."""
    write_text_atomically(plan.folder / SHOWN, _digest_of_views(plan) + "\n")


def is_shown(plan: Plan) -> bool:
    """True when the last command left tables and report of exactly this plan, and they are still there."""
    views = [MANIFEST, "results.parquet", "cells.parquet", "loss.parquet", "completions.parquet", "questions.parquet"]
    views.append("report/index.html")
    mark = plan.folder / SHOWN
    return (
        mark.is_file()
        and mark.read_text(encoding="utf-8").strip() == _digest_of_views(plan)
        and all((plan.folder / name).is_file() for name in views)
    )


def _digest_of_views(plan: Plan) -> str:
    """Return a digest of all that tables and report are made of: cells with their labels, points left out, the code."""
    execution = plan.execution.model_dump(mode="json", exclude={"outputs", "cluster", "keep"})
    left_out = [[out.point, out.reason] for out in plan.left_out]
    sha256 = hashlib.sha256(canonical_json([execution, left_out, plan.git, MANIFEST_FORMAT]).encode())
    sha256.update(canonical_json(pack_cells(plan.cells)).encode())
    return sha256.hexdigest()


def _manifest(plan: Plan, errors: Mapping[str, str]) -> Manifest:
    released = released_models(plan.cells)
    return {
        "format": MANIFEST_FORMAT,
        "study": plan.execution.study,
        "command": plan.command,
        "created": plan.created,
        "hypothesis": plan.execution.hypothesis,
        "primary": plan.execution.primary.model_dump(mode="json") if plan.execution.primary else None,
        "note": plan.execution.note,
        "scale": plan.execution.scale,
        "n": max(cell.sample.n for cell in plan.cells),
        "tiers": tier_order(plan.cells),
        "fixed": _fixed(plan.cells),
        "evaluators": describe_evaluators(plan.cells, plan.store),
        "cells": [_cell_entry(cell, plan.store, errors, released) for cell in plan.cells],
        "left_out": [{"factors": out.point, "reason": out.reason} for out in plan.left_out],
        "provenance": {
            "git": plan.git,
            "versions": package_versions(),
            "hostname": platform.node(),
        },
    }


def _fixed(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The distinct choices of fixed science among the trained cells; more than one entry is a confound to look at."""
    distinct = {canonical_json(fixed): fixed for fixed in (cell.fixed() for cell in cells if not cell.is_base)}
    return list(distinct.values())


def _cell_entry(cell: Cell, store: Store, errors: Mapping[str, str], released: Collection[str]) -> ManifestCell:
    stages = {stage: address.folder for stage, address in addresses(cell).items() if store.find(address)}
    state = state_of(cell, store, errors)
    return {
        "cell": cell.name,
        "key": cell.key,
        "state": state.value,
        "error": errors.get(cell.name) if state is CellState.FAILED else None,
        "planned_attempts": planned_attempts(cell),
        "curtailed": cell.sample.decides.model_dump() if cell.sample.decides else None,
        "factors": dict.fromkeys(cell.factors()) if cell.name in released else cell.factors(),
        "stages": stages,
    }
