"""What is done with a study beside launching it; `python launch.py` launches."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ablation.entry import taught
from ablation.errors import RecordError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and carry out one command. Exit codes: 0 fine, 1 some cells failed, 2 refused."""
    given = _parser().parse_args(arguments)
    with taught():
        code: int = given.run(given)
        return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ablation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("study", help="a study's name below --outputs, or its folder")
    shared.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of all studies (default: outputs)"
    )
    commands.add_parser(
        "report", parents=[shared], help="bring tables and report up to date with the records"
    ).set_defaults(run=_report)
    commands.add_parser("watch", parents=[shared], help="follow a study on Slurm to its report").set_defaults(
        run=_watch
    )
    commands.add_parser("cancel", parents=[shared], help="cancel what is queued or running on Slurm").set_defaults(
        run=_cancel
    )
    plan = commands.add_parser("plan", help="what a sweep would do; nothing is started")
    plan.add_argument("overrides", nargs="*", help="as after `python launch.py -m`, e.g. sweep=cnls cluster=slurm")
    plan.add_argument("--json", action="store_true", help="machine-readable")
    plan.set_defaults(run=_plan)
    status = commands.add_parser("status", parents=[shared], help="where every cell stands")
    status.add_argument("--json", action="store_true", help="machine-readable")
    status.set_defaults(run=_status)
    return parser


def _folder(given: argparse.Namespace) -> Path:
    for folder in (given.outputs / given.study, Path(given.study)):
        if (folder / "plan.json").is_file():
            return Path(folder)
    known = sorted(path.parent.name for path in given.outputs.glob("*/plan.json"))
    raise RecordError(
        f"no study {given.study!r}; {given.outputs} has: {', '.join(known) or 'none'}; give its name or its folder"
    )


def _plan(given: argparse.Namespace) -> int:
    from ablation.expansion import composed_grid
    from ablation.planning import outlook
    from ablation.source import pinned_cell
    from ablation.store import Store

    grid = composed_grid(given.overrides)
    found = outlook([pinned_cell(cell) for cell in grid.cells], Store(Path(grid.execution.outputs) / "store"))
    reasons = Counter(out.reason for out in grid.left_out)
    if given.json:
        print(json.dumps({"study": grid.execution.study, **asdict(found), "left_out": reasons}))
        return 0
    print(f"{grid.execution.study}: {found.cells} cells, {found.done} done, {found.cells - found.done} to run")
    print("still to do: " + (", ".join(f"{count} × {stage}" for stage, count in found.to_do.items()) or "nothing"))
    for reason, count in reasons.items():
        print(f"left out: {count} cells: {reason}")
    for one in found.confounds:
        levels = ", ".join(f"{level}: {value:g}" for level, value in one.by_level.items())
        print(f"differs with {one.factor}: mean {one.quantity} ({levels})")
    return 0


def _report(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.analysis import load
    from ablation.report.page import write
    from ablation.report.terminal import render
    from ablation.study import load_plan, read_errors, write_study

    folder = _folder(given)
    write_study(load_plan(folder), read_errors(folder))
    page = write(folder)
    console = Console(highlight=False)
    console.print(render(load(folder)))
    console.print(f"report: {page}", soft_wrap=True)
    return 0


def _watch(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.study import load_plan
    from ablation.sweep import follow

    return follow(load_plan(_folder(given)), Console(highlight=False))


def _status(given: argparse.Namespace) -> int:
    from ablation.dispatch.follow import exceptions, line
    from ablation.dispatch.states import cell_states
    from ablation.study import load_plan

    plan = load_plan(_folder(given))
    states = cell_states(plan.cells, plan.store, plan.folder)
    counts = Counter[str](one.state for one in states)
    if given.json:
        print(json.dumps({"study": plan.execution.study, "counts": counts, "cells": [asdict(one) for one in states]}))
    else:
        print("\n".join([f"{plan.execution.study}: {len(states)} cells, {line(counts)}", *exceptions(states)]))
    return 1 if counts["failed"] or counts["lost"] else 0


def _cancel(given: argparse.Namespace) -> int:
    from ablation.dispatch import slurm
    from ablation.dispatch.ledger import LEDGER, Ledger
    from ablation.dispatch.states import cell_states
    from ablation.study import load_plan

    plan = load_plan(_folder(given))
    tasks = Ledger(plan.folder / LEDGER).latest()
    live = [one.name for one in cell_states(plan.cells, plan.store, plan.folder) if one.state in ("queued", "running")]
    slurm.cancel([tasks[name] for name in live])
    print(f"cancelled {len(live)} cells; finished work is kept, and the launch command submits the rest again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
