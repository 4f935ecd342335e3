"""`ablation status` and `watch`: where every cell of a study stands, once or until it ends."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_filters_parser, make_json_parser, read_states
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
    status.set_defaults(run=_status)
    watch = commands.add_parser(
        "watch",
        parents=[make_filters_parser(), make_json_parser()],
        help="follow a study, or some of its cells, to its end; on Slurm to its report",
    )
    watch.set_defaults(run=_watch)


def _status(given: argparse.Namespace) -> int:
    from ablation.jobs.slurm.commands import SlurmUnreachable
    from ablation.jobs.status.counts import by_factor, totals
    from ablation.jobs.status.table import exceptions, headline, tables

    plan, cells, states = read_states(given)
    counts = totals(states)
    left = _left(plan, cells, states)
    if given.json:
        told = {
            "study": plan.execution.study,
            "counts": counts,
            "by_factor": by_factor(cells, states),
            "remaining": left and {**asdict(left), **_cost(plan, left)},
            "cells": [vars(one) for one in states],
        }
        print(json.dumps(told))
    else:
        terminal = console()
        terminal.print(headline(plan.execution.study, states), soft_wrap=True)
        terminal.print()
        terminal.print(tables(cells, states, terminal))
        for line in [*exceptions(states, plan.execution.study), *([_remaining(plan, left)] if left else [])]:
            terminal.print(line, soft_wrap=True)
    if counts["failed"] or counts["lost"]:
        return 1
    return SlurmUnreachable.exit_code if counts["unknown"] else 0


def _left(plan: "Plan", cells: "Sequence[Cell]", states: "Sequence[CellStatus]") -> "TimeLeft | None":
    from ablation.jobs.status.time_left import estimate_time_left

    ended = {one.name: one.state == "done" for one in states}
    done = [cell for cell, one in zip(cells, states, strict=True) if ended[one.name]]
    open_cells = [cell for cell, one in zip(cells, states, strict=True) if not ended[one.name]]
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
    told = f"about {hours:.2g} {words} left, by the pace of {left.measured} finished stages"
    return told + (f"; {left.unmeasured} cells like none of them are not counted" if left.unmeasured else "")


def _watch(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.cli.follow import follow_study
    from ablation.jobs.status.counts import totals

    plan, chosen, _ = read_states(given)
    cells = chosen if given.filters else None
    if not given.json:
        return follow_study(plan, console(), cells=cells)
    before: dict[str, CellStatus] = {}

    def show(states: "Sequence[CellStatus]") -> None:
        changed = [vars(one) for one in states if before.get(one.name) != one]
        before.update({one.name: one for one in states})
        print(json.dumps({"study": plan.execution.study, "counts": totals(states), "cells": changed}), flush=True)

    return follow_study(plan, Console(stderr=True, highlight=False), show, cells)
