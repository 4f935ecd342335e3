"""`ablation import` and `export`: records of others as a study, and a study in the form that others read."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.commands.arguments import records_of, study_parent

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parsers of `import` and `export`."""
    taken = commands.add_parser(
        "import", help="make a study of a table of counts, or of sample logs of lm-evaluation-harness"
    )
    taken.add_argument("source", type=Path, metavar="FILE", help=".csv or .parquet (counts), .jsonl or a folder (logs)")
    taken.add_argument("--study", required=True, metavar="NAME", help="the study to make")
    taken.add_argument("--columns", type=Path, metavar="MAP.yaml", help="which columns hold what")
    taken.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    taken.set_defaults(run=_import)
    forms = commands.add_parser("export", help="a study in the form that others read").add_subparsers(
        dest="form", required=True
    )
    harness = forms.add_parser(
        "harness", parents=[study_parent()], help="sample logs and results of lm-evaluation-harness, a folder a cell"
    )
    harness.add_argument("--output", type=Path, required=True, metavar="DIR")
    harness.set_defaults(run=_harness)


def _import(given: argparse.Namespace) -> int:
    from ablation.errors import DataError
    from ablation.interchange.columns import read_columns
    from ablation.interchange.study import import_study, study_name
    from ablation.report.page import write

    if not given.source.exists():
        raise DataError(f"{given.source} does not exist; give a table of counts, a sample log or a folder of logs")
    folder = given.outputs / study_name(given.study)
    models = import_study(given.source, folder, read_columns(given.columns), shlex.join(["ablation", *sys.argv[1:]]))
    for name, count in models.items():
        print(f"{name}: {count:,} attempts")
    print(f"report: {write(folder)}")
    return 0


def _harness(given: argparse.Namespace) -> int:
    from ablation.interchange.export import export_harness

    written = export_harness(records_of(given), given.output)
    print(f"{len(written)} cells: {given.output}")
    return 0
