"""`ablation report` and `verify`: what the records say, and whether they are still what was written."""

import argparse
import json
from typing import TYPE_CHECKING

from ablation.commands.arguments import filtered_parent, folder_of, machine_parent, places_of, study_parent

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parsers of `report` and `verify`."""
    report = commands.add_parser(
        "report", parents=[study_parent(), machine_parent()], help="bring tables and report up to date with the records"
    )
    report.set_defaults(run=_report)
    verify = commands.add_parser(
        "verify",
        parents=[filtered_parent(), machine_parent()],
        help="check every file behind these cells against its recorded checksum",
    )
    verify.set_defaults(run=_verify)


def _report(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.analysis import load
    from ablation.interchange.study import is_imported
    from ablation.report.page import write
    from ablation.report.terminal import render
    from ablation.study import load_plan, read_errors, write_study

    imported = [place for place in places_of(given) if is_imported(place)]
    folder = imported[0] if imported else folder_of(given)
    if not imported:
        write_study(load_plan(folder), read_errors(folder))
    page = write(folder)
    errors = read_errors(folder)
    if given.json:
        print(json.dumps({"folder": str(folder), "report": str(page), "failed": errors}))
    else:
        console = Console(highlight=False)
        console.print(render(load(folder)))
        console.print(f"report: {page}", soft_wrap=True)
    return 1 if errors else 0


def _verify(given: argparse.Namespace) -> int:
    from ablation.cell import addresses
    from ablation.dispatch.states import select_cells
    from ablation.store import verify
    from ablation.study import load_plan

    plan = load_plan(folder_of(given))
    wanted = {
        address.folder: address
        for cell in select_cells(plan.cells, given.filters)
        for address in addresses(cell).values()
    }
    folders = [path for address in wanted.values() if (path := plan.store.find(address))]
    faults = [fault for path in folders for fault in verify(path)]
    if given.json:
        print(json.dumps({"checked": len(folders), "faults": faults}))
    else:
        print("\n".join([*faults, f"{len(folders)} stage folders checked, {len(faults)} faults"]))
    return 1 if faults else 0
