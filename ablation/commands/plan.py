"""`ablation plan`: what a sweep would do, before anything is spent."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.commands.arguments import machine_parent, overrides_parent

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `plan`."""
    plan = commands.add_parser(
        "plan", parents=[machine_parent(), overrides_parent()], help="what a sweep would do; nothing is started"
    )
    plan.set_defaults(run=_plan)


def _plan(given: argparse.Namespace) -> int:
    from ablation.expansion import composed_grid
    from ablation.planning import outlook
    from ablation.science import Source
    from ablation.source import pinned_cell
    from ablation.store import Store

    grid = composed_grid(given.overrides)
    known: dict[Source, Source] = {}
    found = outlook([pinned_cell(cell, known) for cell in grid.cells], Store(Path(grid.execution.outputs) / "store"))
    if given.json:
        print(
            json.dumps(
                {
                    "study": grid.execution.study,
                    **asdict(found),
                    "left_out": Counter(out.reason for out in grid.left_out),
                    "remarks": grid.remarks,
                }
            )
        )
        return 0
    print(f"{grid.execution.study}: {found.cells} cells, {found.done} done, {found.cells - found.done} to run")
    if equal := len(grid.cells) - found.cells:
        print(f"{equal} cells are equal to others and are computed once")
    print("still to do: " + (", ".join(f"{count} × {stage}" for stage, count in found.to_do.items()) or "nothing"))
    print("".join(f"{line}\n" for line in grid.remarks), end="")
    for one in found.confounds:
        levels = ", ".join(f"{level}: {value:g}" for level, value in one.by_level.items())
        print(f"differs with {one.factor}: mean {one.quantity} ({levels})")
    return 0
