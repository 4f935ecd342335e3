"""`ablation doctor`: whether this machine, its disk and its cluster are fit for a study."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_json_parser, make_overrides_parser
from ablation.terminal import console, printable

if TYPE_CHECKING:
    from rich.table import Table

    from ablation.cli.commands.arguments import Commands
    from ablation.planning.doctor.check import Check

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_UNREACHABLE = "Slurm reachable"


def register(commands: "Commands") -> None:
    """Add the parser of `doctor`."""
    doctor = commands.add_parser(
        "doctor",
        parents=[make_overrides_parser(), make_json_parser()],
        help="check software, disk, hub, keys and cluster, each with a fix",
    )
    doctor.set_defaults(run=_doctor)


def _doctor(given: argparse.Namespace) -> int:
    """0 when nothing fails, 1 when something does, 3 when the cluster that was asked for does not answer."""
    from ablation.jobs.slurm.commands import SlurmUnreachable

    found = list(dict.fromkeys(_checks(given.overrides)))
    if given.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        console().print(_table(found))
    failed = [one.name for one in found if one.grade == "fail"]
    if _UNREACHABLE in failed:
        return SlurmUnreachable.exit_code
    return 1 if failed else 0


def _checks(overrides: list[str]) -> "Iterator[Check]":
    from ablation.config.cluster import Slurm
    from ablation.config.sweep.cells import compose_sweep
    from ablation.jobs.slurm.commands import SlurmUnreachable
    from ablation.planning.doctor import accounts, cluster, disk, software
    from ablation.planning.doctor.check import fail

    grid = compose_sweep(overrides)
    where = grid.execution.cluster
    yield from software.checks(where.gpus_per_node if isinstance(where, Slurm) else 0)
    yield from disk.checks(Path(grid.execution.outputs))
    yield from accounts.checks(grid.cells, grid.execution.tracker)
    if isinstance(where, Slurm):
        try:
            yield from cluster.checks(where, sorted({cell.model.name for cell in grid.cells}))
        except SlurmUnreachable as error:
            yield fail(_UNREACHABLE, str(error), "run this on a login node, or choose cluster=local")


def _table(found: "list[Check]") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for column in ("check", "", "found"):
        table.add_column(column, no_wrap=column == "")
    for one in found:
        told = Text(printable(one.found), overflow="fold")
        if one.fix:
            told.append(f"\n→ {one.fix}", "bold")
        table.add_row(one.name, Text(one.grade, _STYLES[one.grade]), told)
    return table
