"""What is done with a study beside launching it; `python launch.py` launches."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.entry import taught
from ablation.errors import RecordError

if TYPE_CHECKING:
    from ablation.dispatch.states import CellState
    from ablation.study import Plan


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
    shared.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    filtered = argparse.ArgumentParser(add_help=False, parents=[shared])
    filtered.add_argument(
        "filters", nargs="*", metavar="FACTOR=LEVEL", help="only these cells: category=geometry count=100"
    )
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--json", action="store_true", help="machine-readable")
    for name, parents, run, told in (
        ("report", [shared], _report, "bring tables and report up to date with the records"),
        ("watch", [shared], _watch, "follow a study on Slurm to its report"),
        ("status", [filtered, machine], _status, "where every cell stands"),
        ("failures", [filtered, machine], _failures, "failures grouped by what went wrong, with the next step"),
        ("verify", [filtered], _verify, "check every file behind these cells against its recorded checksum"),
        ("cancel", [filtered], _cancel, "cancel what is queued or running on Slurm"),
    ):
        commands.add_parser(name, parents=parents, help=told).set_defaults(run=run)
    logs = commands.add_parser("logs", parents=[shared], help="the logs of one cell")
    logs.add_argument("cell", help="a cell's name, or how it begins")
    logs.set_defaults(run=_logs)
    plan = commands.add_parser("plan", parents=[machine], help="what a sweep would do; nothing is started")
    plan.add_argument("overrides", nargs="*", help="as after `python launch.py -m`, e.g. sweep=cnls cluster=slurm")
    plan.set_defaults(run=_plan)
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
    return 1 if read_errors(folder) else 0


def _watch(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.study import load_plan
    from ablation.sweep import follow

    return follow(load_plan(_folder(given)), Console(highlight=False))


def _states(given: argparse.Namespace) -> "tuple[Plan, list[CellState]]":
    from ablation.dispatch.states import cell_states, select_cells
    from ablation.study import load_plan

    plan = load_plan(_folder(given))
    return plan, cell_states(select_cells(plan.cells, given.filters), plan.store, plan.folder)


def _status(given: argparse.Namespace) -> int:
    from ablation.dispatch.follow import exceptions, line

    plan, states = _states(given)
    counts = Counter[str](one.state for one in states)
    if given.json:
        print(json.dumps({"study": plan.execution.study, "counts": counts, "cells": [asdict(one) for one in states]}))
    else:
        print("\n".join([f"{plan.execution.study}: {len(states)} cells, {line(counts)}", *exceptions(states)]))
    return 1 if counts["failed"] or counts["lost"] else 0


def _failures(given: argparse.Namespace) -> int:
    from ablation.dispatch.failures import failures

    found = failures(_states(given)[1])
    if given.json:
        print(json.dumps([asdict(one) for one in found]))
        return 1 if found else 0
    for one in found:
        print(f"{len(one.cells)} × {one.kind}: {one.message}\n  next: {one.next_step}")
        print("".join(f"  {name}\n" for name in one.cells), end="")
    if not found:
        print("no failures")
    return 1 if found else 0


def _verify(given: argparse.Namespace) -> int:
    from ablation.cell import addresses
    from ablation.dispatch.states import select_cells
    from ablation.store import verify
    from ablation.study import load_plan

    plan = load_plan(_folder(given))
    wanted = {
        address.folder: address
        for cell in select_cells(plan.cells, given.filters)
        for address in addresses(cell).values()
    }
    folders = [path for address in wanted.values() if (path := plan.store.find(address))]
    faults = [fault for path in folders for fault in verify(path)]
    print("\n".join([*faults, f"{len(folders)} stage folders checked, {len(faults)} faults"]))
    return 1 if faults else 0


def _logs(given: argparse.Namespace) -> int:
    from ablation.dispatch.ledger import LEDGER, Ledger
    from ablation.study import load_plan

    plan = load_plan(_folder(given))
    names = [cell.name for cell in plan.cells if cell.name.startswith(given.cell)]
    if len(names) != 1:
        known = names or [cell.name for cell in plan.cells]
        raise RecordError(f"{given.cell!r} is the beginning of {len(names)} cells; choose one of: {', '.join(known)}")
    task = Ledger(plan.folder / LEDGER).latest().get(names[0])
    logs = plan.folder / "logs"
    paths = [path for path in (logs / f"{names[0]}.log", logs / f"{task}_0_log.out") if path.is_file()]
    for path in paths:
        sys.stdout.write(f"== {path}\n{path.read_text(errors='replace')}")
    if not paths:
        print(f"{names[0]} has no log yet")
    return 0


def _cancel(given: argparse.Namespace) -> int:
    from ablation.dispatch import slurm
    from ablation.dispatch.ledger import LEDGER, Ledger

    plan, states = _states(given)
    tasks = Ledger(plan.folder / LEDGER).latest()
    live = [one.name for one in states if one.state in ("queued", "running")]
    slurm.cancel([tasks[name] for name in live])
    print(f"cancelled {len(live)} cells; finished work is kept, and the launch command submits the rest again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
