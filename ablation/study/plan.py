"""A study's folder, ``outputs/<study>/``: a view of the store, rebuilt from records whenever a command ends.

``plan.json`` is written before the first cell starts, ``manifest.json`` and the tables when a command ends; the tables hold the
cells that are done.
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
    """What a command asked for: cells with their sources pinned, what was left out, and how to run."""

    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    execution: Execution
    command: str
    created: str
    git: str | None

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return Path(self.execution.outputs) / self.execution.study

    @property
    def store(self) -> Store:
        """The store that all studies of these outputs share."""
        return Store(Path(self.execution.outputs) / "store")


def save_plan(plan: Plan) -> None:
    """Write ``plan.json``, from which later commands know the study without its configuration."""
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
    """The plan of a study's folder. Raises RecordError when there is none, or it is damaged or of another format."""
    try:
        told = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        if told["format"] != PLAN_FORMAT:
            raise RecordError(
                f"{folder / PLAN} has format {told['format']}, this version reads format {PLAN_FORMAT}; run the study's launch "
                "command again, and what is still valid is found again"
            )
        cells = unpack_cells(told["cells"])
        left_out = tuple(LeftOut(out["point"], out["reason"]) for out in told["left_out"])
        execution = Execution.model_validate_json(json.dumps(told["execution"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RecordError(
            f"{folder} is not a study that can be followed ({error}); run its launch command again"
        ) from error
    # The folder may have moved since: where it is now is what counts.
    placed = execution.model_copy(update={"outputs": str(folder.parent), "study": folder.name})
    return Plan(cells, left_out, placed, told["command"], told["created"], told["git"])
