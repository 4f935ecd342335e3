"""`ablation doctor OVERRIDES`: print checks of this machine, its disk, keys and cluster, each with a remedy where it fails."""

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
    doctor.set_defaults(run=_check_machine)


def _check_machine(options: argparse.Namespace) -> int:
    """Print all checks. Returns 0 when none fails, 1 when one does, and 3 when the configured cluster does not answer."""
    from ablation.jobs.slurm.commands import SlurmUnreachable

    checks = list(dict.fromkeys(_run_checks(options.overrides)))
    if options.json:
        print(json.dumps([asdict(check) for check in checks]))
    else:
        console().print(_table(checks))
    failed = [check.name for check in checks if check.grade == "fail"]
    if _UNREACHABLE in failed:
        return SlurmUnreachable.exit_code
    return 1 if failed else 0


def _run_checks(overrides: list[str]) -> "Iterator[Check]":
    from ablation.config.cluster import Slurm
    from ablation.config.sweep.cells import compose_sweep
    from ablation.jobs.slurm.commands import SlurmUnreachable
    from ablation.planning.doctor import accounts, cluster, disk, software
    from ablation.planning.doctor.check import fail

    sweep = compose_sweep(overrides)
    target = sweep.execution.cluster
    yield from software.checks(target.gpus_per_node if isinstance(target, Slurm) else 0)
    yield from disk.checks(Path(sweep.execution.outputs))
    yield from accounts.checks(sweep.cells, sweep.execution.tracker)
    if isinstance(target, Slurm):
        try:
            yield from cluster.checks(target, sorted({cell.model.name for cell in sweep.cells}))
        except SlurmUnreachable as error:
            yield fail(_UNREACHABLE, str(error), "run this on a login node, or choose cluster=local")


def _table(checks: "list[Check]") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for column in ("check", "", "found"):
        table.add_column(column, no_wrap=column == "")
    for check in checks:
        text = Text(printable(check.found), overflow="fold")
        if check.fix:
            text.append(f"\n→ {check.fix}", "bold")
        table.add_row(check.name, Text(check.grade, _STYLES[check.grade]), text)
    return table
