"""`ablation report STUDY [OTHER]`: write the report from the records, and print the findings.

`ablation verify STUDY`: check the files behind the records against their recorded checksums, and print the faults.
"""

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
    report.set_defaults(run=_write_report)
    verify = commands.add_parser(
        "verify",
        parents=[make_filters_parser(), make_json_parser()],
        help="check every file behind these cells against its recorded checksum",
    )
    verify.set_defaults(run=_verify_files)


def _write_report(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.analysis import load
    from ablation.analysis.findings.analyse import analyse
    from ablation.report.page import write_analysed_report
    from ablation.report.terminal import render_summary
    from ablation.study.manifest import read_errors

    folder = _update_tables(options)
    errors = read_errors(folder)
    if options.other:
        return _write_comparison(options, folder, errors)
    analysis = analyse(load(folder), partial=True)
    page = write_analysed_report(analysis, folder)
    if options.json:
        print(json.dumps({"folder": str(folder), "report": str(page), "failed": errors}))
    else:
        console = Console(highlight=False)
        console.print(render_summary(analysis))
        console.print(f"report: {page}", soft_wrap=True)
    return 1 if errors else 0


def _update_tables(options: argparse.Namespace) -> Path:
    """Write the study's tables from its records as they are now, and return its folder.

    The tables of an imported study are its records, and stay as they are.
    """
    from ablation.study.interchange.import_study import is_imported
    from ablation.study.manifest import read_errors, write_study
    from ablation.study.plan import load_plan

    for folder in possible_folders(options):
        if is_imported(folder):
            return Path(folder)
    folder = find_study_folder(options)
    write_study(load_plan(folder), read_errors(folder))
    return folder


def _write_comparison(options: argparse.Namespace, reference: Path, errors: dict[str, str]) -> int:
    from ablation.report.comparison import write_comparison
    from ablation.study.manifest import read_errors

    other = _update_tables(argparse.Namespace(**{**vars(options), "study": options.other}))
    page, text = write_comparison(reference, other)
    failed = {**errors, **read_errors(other)}
    if options.json:
        print(json.dumps({"folder": str(other), "against": str(reference), "report": str(page), "failed": failed}))
    else:
        print(f"{text}\nreport: {page}")
    return 1 if failed else 0


def _verify_files(options: argparse.Namespace) -> int:
    from ablation.jobs.status.states import select_cells
    from ablation.specs.cell import addresses
    from ablation.store.store import verify
    from ablation.study.plan import load_plan

    plan = load_plan(find_study_folder(options))
    stages = {
        address.folder: address
        for cell in select_cells(plan.cells, options.filters)
        for address in addresses(cell).values()
    }
    folders = [path for address in stages.values() if (path := plan.store.find(address))]
    faults = [fault for path in folders for fault in verify(path)]
    if options.json:
        print(json.dumps({"checked": len(folders), "faults": faults}))
    else:
        print("\n".join([*faults, f"{len(folders)} stage folders checked, {len(faults)} faults"]))
    return 1 if faults else 0
