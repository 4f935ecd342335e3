"""`ablation status STUDY`: print the state of every cell, with counts, failures and the time that is left.

`ablation watch STUDY`: print it again whenever it changes, until the cells have ended; on Slurm, write the report then.
"""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_filters_parser, make_json_parser, read_states
from ablation.specs.vocabulary import CellState
from ablation.terminal import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ablation.cli.commands.arguments import Commands
    from ablation.jobs.status.states import CellStatus
    from ablation.jobs.status.time_left import TimeLeft
    from ablation.specs.cell import Cell
    from ablation.study.plan import Plan


def register(commands: "Commands") -> None:
    """Add the parsers of `status` and `watch`."""
    status = commands.add_parser(
        "status", parents=[make_filters_parser(), make_json_parser()], help="where every cell stands"
    )
    status.set_defaults(run=_print_status)
    watch = commands.add_parser(
        "watch",
        parents=[make_filters_parser(), make_json_parser()],
        help="follow a study, or some of its cells, to its end; on Slurm to its report",
    )
    watch.set_defaults(run=_watch_study)


def _print_status(options: argparse.Namespace) -> int:
    from ablation.jobs.slurm.commands import SlurmUnreachable
    from ablation.jobs.status.counts import by_factor, totals
    from ablation.jobs.status.table import exceptions, headline, tables

    plan, cells, states = read_states(options)
    counts = totals(states)
    left = _estimate_left(plan, cells, states)
    if options.json:
        content = {
            "study": plan.execution.study,
            "counts": counts,
            "by_factor": by_factor(cells, states),
            "remaining": left and {**asdict(left), **_cost(plan, left)},
            "cells": [vars(status) for status in states],
        }
        print(json.dumps(content))
    else:
        terminal = console()
        terminal.print(headline(plan.execution.study, states), soft_wrap=True)
        terminal.print()
        terminal.print(tables(cells, states, terminal))
        for line in [*exceptions(states, plan.execution.study), *([_remaining(plan, left)] if left else [])]:
            terminal.print(line, soft_wrap=True)
    if counts[CellState.FAILED] or counts[CellState.LOST]:
        return 1
    return SlurmUnreachable.exit_code if counts[CellState.UNKNOWN] else 0


def _estimate_left(plan: "Plan", cells: "Sequence[Cell]", states: "Sequence[CellStatus]") -> "TimeLeft | None":
    from ablation.jobs.status.time_left import estimate_time_left

    done: list[Cell] = []
    open_cells: list[Cell] = []
    for cell, status in zip(cells, states, strict=True):
        (done if CellState(status.state) is CellState.DONE else open_cells).append(cell)
    return estimate_time_left(open_cells, done, plan.store) if open_cells else None


def _cost(plan: "Plan", left: "TimeLeft") -> dict[str, float]:
    from ablation.config.cluster import Slurm

    cluster = plan.execution.cluster
    gpus = cluster.gpus_per_node * cluster.nodes if isinstance(cluster, Slurm) else 0
    cores = cluster.cpus_per_task if isinstance(cluster, Slurm) else cluster.threads_per_worker
    hours = left.seconds / 3600
    return {"gpu_hours": hours * gpus} if gpus else {"core_hours": hours * cores}


def _remaining(plan: "Plan", left: "TimeLeft") -> str:
    [(unit, hours)] = _cost(plan, left).items()
    words = {"gpu_hours": "GPU-hours", "core_hours": "core-hours"}[unit]
    text = f"about {hours:.2g} {words} left, by the pace of {left.measured} finished stages"
    return text + (f"; {left.unmeasured} cells like none of them are not counted" if left.unmeasured else "")


def _watch_study(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.cli.follow import follow_study
    from ablation.jobs.status.counts import totals

    plan, chosen, _ = read_states(options)
    cells = chosen if options.filters else None
    if not options.json:
        return follow_study(plan, console(), cells=cells)
    before: dict[str, CellStatus] = {}

    def show(states: "Sequence[CellStatus]") -> None:
        changed = [vars(status) for status in states if before.get(status.name) != status]
        before.update({status.name: status for status in states})
        print(json.dumps({"study": plan.execution.study, "counts": totals(states), "cells": changed}), flush=True)

    return follow_study(plan, Console(stderr=True, highlight=False), show, cells)
