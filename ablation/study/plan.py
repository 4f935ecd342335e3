"""A study's folder, ``outputs/<study>/``: a view of the store, rebuilt from records whenever a command ends.

``plan.json`` is written before the first cell starts. ``manifest.json`` and the tables are written when a command ends; the
tables hold the cells that are done.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ablation.config.execution import Execution
from ablation.config.sweep.design import LeftOut
from ablation.errors import RecordError
from ablation.specs.cell import Cell
from ablation.store.files import write_text_atomically
from ablation.store.store import Store
from ablation.study.plan_file import pack_cells, unpack_cells

PLAN_FORMAT = 2
PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """The plan of a study, as one command asked for it."""

    cells: tuple[Cell, ...]
    """The cells, with their sources pinned."""
    left_out: tuple[LeftOut, ...]
    """The points of the design that are no cells, with their reasons."""
    execution: Execution
    """How and where to run, which changes no number."""
    command: str
    created: str
    """ISO 8601 in UTC."""
    git: str | None
    """The commit of the code, with ``+changes`` when the tree was not clean; None outside a checkout."""

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return Path(self.execution.outputs) / self.execution.study

    @property
    def store(self) -> Store:
        """The store that all studies of these outputs share."""
        return Store(Path(self.execution.outputs) / "store")


def save_plan(plan: Plan) -> None:
    """Write ``plan.json``. From it later commands know the study without its configuration."""
    content = {
        "format": PLAN_FORMAT,
        "cells": pack_cells(plan.cells),
        "left_out": [{"point": out.point, "reason": out.reason} for out in plan.left_out],
        "execution": plan.execution.model_dump(mode="json"),
        "command": plan.command,
        "created": plan.created,
        "git": plan.git,
    }
    write_text_atomically(plan.folder / PLAN, json.dumps(content) + "\n")


def load_plan(folder: Path) -> Plan:
    """Return the plan of a study's folder. Raises RecordError when there is none, or it is damaged or of another format."""
    try:
        content = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        if content["format"] != PLAN_FORMAT:
            raise RecordError(
                f"{folder / PLAN} has format {content['format']}, this version reads format {PLAN_FORMAT}; "
                "run the study's launch command again, and what is still valid is found again"
            )
        cells = unpack_cells(content["cells"])
        left_out = tuple(LeftOut(out["point"], out["reason"]) for out in content["left_out"])
        execution = Execution.model_validate_json(json.dumps(content["execution"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RecordError(
            f"{folder} is not a study that can be followed ({error}); run its launch command again"
        ) from error
    # The folder may have moved since: its place of today counts.
    placed = execution.model_copy(update={"outputs": str(folder.parent), "study": folder.name})
    return Plan(cells, left_out, placed, content["command"], content["created"], content["git"])
