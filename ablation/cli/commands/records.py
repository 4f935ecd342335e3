"""`ablation report` and `verify`: what the records say, and whether they are still what was written."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import (
    find_study_folder,
    make_filters_parser,
    make_json_parser,
    make_study_parser,
    possible_folders,
)

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parsers of `report` and `verify`."""
    report = commands.add_parser(
        "report",
        parents=[make_study_parser(), make_json_parser()],
        help="bring tables and report up to date with the records",
    )
    report.add_argument("other", nargs="?", help="a second study: one page that sets it against the first")
    report.set_defaults(run=_report)
    verify = commands.add_parser(
        "verify",
        parents=[make_filters_parser(), make_json_parser()],
        help="check every file behind these cells against its recorded checksum",
    )
    verify.set_defaults(run=_verify)


def _report(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.analysis import load
    from ablation.analysis.findings.analyse import analyse
    from ablation.report.page import write_analysed_report
    from ablation.report.terminal import render_summary
    from ablation.study.manifest import read_errors

    folder = _brought_up_to_date(given)
    errors = read_errors(folder)
    if given.other:
        return _compare(given, folder, errors)
    analysis = analyse(load(folder), partial=True)
    page = write_analysed_report(analysis, folder)
    if given.json:
        print(json.dumps({"folder": str(folder), "report": str(page), "failed": errors}))
    else:
        console = Console(highlight=False)
        console.print(render_summary(analysis))
        console.print(f"report: {page}", soft_wrap=True)
    return 1 if errors else 0


def _brought_up_to_date(given: argparse.Namespace) -> Path:
    """The study's folder, its tables as the records are now; an imported study has nothing to be brought up to date with."""
    from ablation.study.interchange.import_study import is_imported
    from ablation.study.manifest import read_errors, write_study
    from ablation.study.plan import load_plan

    for place in possible_folders(given):
        if is_imported(place):
            return Path(place)
    folder = find_study_folder(given)
    write_study(load_plan(folder), read_errors(folder))
    return folder


def _compare(given: argparse.Namespace, one: Path, errors: dict[str, str]) -> int:
    from ablation.report.comparison import write_comparison
    from ablation.study.manifest import read_errors

    other = _brought_up_to_date(argparse.Namespace(**{**vars(given), "study": given.other}))
    page, told = write_comparison(one, other)
    failed = {**errors, **read_errors(other)}
    if given.json:
        print(json.dumps({"folder": str(other), "against": str(one), "report": str(page), "failed": failed}))
    else:
        print(f"{told}\nreport: {page}")
    return 1 if failed else 0


def _verify(given: argparse.Namespace) -> int:
    from ablation.jobs.status.states import select_cells
    from ablation.specs.cell import addresses
    from ablation.store.store import verify
    from ablation.study.plan import load_plan

    plan = load_plan(find_study_folder(given))
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
