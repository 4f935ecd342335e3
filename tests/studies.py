"""A study on disk in a moment: real plan, real store, stage folders that hold little more than their seals.

Walks through config, data, store, study.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ablation.config.sweep.cells import compose_sweep
from ablation.data.source import pinned_cell
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.records import TIMING_FILE, WEIGHTS_FOLDER
from ablation.store.stage_run import StageRun
from ablation.study.manifest import open_study
from ablation.study.plan import Plan, save_plan

WEIGHTS = b"weights" * 100


def planned(outputs: Path, *overrides: str) -> Plan:
    """A study that was planned and not begun."""
    grid = compose_sweep([*overrides, "tracker=none", f"outputs='{outputs}'"])
    cells = tuple(pinned_cell(cell) for cell in grid.cells)
    plan = Plan(cells, grid.left_out, grid.execution, "python launch.py", "2026-01-01T00:00:00+00:00", None)
    open_study(plan)
    save_plan(plan)
    return plan


def finish(plan: Plan, cells: Sequence[Cell], stages: Collection[str] = tuple(StageName)) -> None:
    """Publish stages of these cells: what took 2 s for each, in folders that say so."""
    for cell in cells:
        for stage, address in addresses(cell).items():
            if stage in stages:
                plan.store.make(address, _write)


def _write(run: StageRun) -> None:
    (run.out / WEIGHTS_FOLDER).mkdir()
    (run.out / WEIGHTS_FOLDER / "model.safetensors").write_bytes(WEIGHTS)
    (run.out / TIMING_FILE).write_text(json.dumps({"work_s": 2.0}))


def fail(plan: Plan, errors: Mapping[str, str]) -> None:
    """Let the manifest name failed cells, as a command does that ends; it has little else."""
    cells = [{"cell": cell.name, "error": errors.get(cell.name)} for cell in plan.cells]
    (plan.folder / "manifest.json").write_text(json.dumps({"format": 1, "cells": cells}))
