"""`ablation import FILE` makes a study of records of others; `ablation export` writes a study in a form that others read.

Both print what they wrote, and where.
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import find_records_folder, make_study_parser

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands
    from ablation.specs.cell import Cell
    from ablation.store.store import Store

_SHOWN_NAMES = 20


def register(commands: "Commands") -> None:
    """Add the parsers of `import` and `export`."""
    importing = commands.add_parser(
        "import", help="make a study of a table of counts, or of sample logs of lm-evaluation-harness"
    )
    importing.add_argument(
        "source", type=Path, metavar="FILE", help=".csv or .parquet (counts), .jsonl or a folder (logs)"
    )
    importing.add_argument("--study", required=True, metavar="NAME", help="the study to make")
    importing.add_argument("--columns", type=Path, metavar="MAP.yaml", help="which columns hold what")
    importing.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    importing.set_defaults(run=_import_records)
    forms = commands.add_parser("export", help="a study in the form that others read").add_subparsers(
        dest="form", required=True
    )
    harness = forms.add_parser(
        "harness",
        parents=[make_study_parser()],
        help="sample logs and results of lm-evaluation-harness, a folder a cell",
    )
    harness.add_argument("--output", type=Path, required=True, metavar="DIR")
    harness.set_defaults(run=_export_harness)
    train = forms.add_parser("train", help="the training set of one cell, as a dataset for other trainers")
    train.add_argument("cell", help="a cell's name, or how it begins; its study may stand before it: STUDY/CELL")
    train.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    train.add_argument("--output", type=Path, required=True, metavar="DIR")
    train.add_argument("--form", choices=("parquet", "jsonl"), default="parquet", help="parquet, unless told otherwise")
    train.set_defaults(run=_export_train)


def _import_records(options: argparse.Namespace) -> int:
    from ablation.errors import DataError
    from ablation.report.page import write_report
    from ablation.study.interchange.columns import read_columns
    from ablation.study.interchange.import_study import import_study, study_name

    if not options.source.exists():
        raise DataError(f"{options.source} does not exist; give a table of counts, a sample log or a folder of logs")
    folder = options.outputs / study_name(options.study)
    models = import_study(
        options.source, folder, read_columns(options.columns), shlex.join(["ablation", *sys.argv[1:]])
    )
    for name, count in models.items():
        print(f"{name}: {count:,} attempts")
    print(f"report: {write_report(folder)}")
    return 0


def _export_harness(options: argparse.Namespace) -> int:
    from ablation.study.interchange.export_study import export_harness

    folders = export_harness(find_records_folder(options), options.output)
    print(f"{len(folders)} cells: {options.output}")
    return 0


def _export_train(options: argparse.Namespace) -> int:
    from ablation.data.corpus.export import export_train
    from ablation.jobs.run.pipeline import run_cell

    cell, store = _find_cell(options.cell, options.outputs)
    file = export_train(cell, run_cell(cell, store, last="select"), options.form, options.output)
    print(f"{cell.count.size:,} trajectories of {cell.name}: {file}")
    return 0


def _find_cell(cell_name: str, outputs: Path) -> "tuple[Cell, Store]":
    """Return the trained cell, in any study of these outputs, whose name begins so, and its store.

    Raises RecordError when there are none or several, naming them.
    """
    from ablation.errors import RecordError, did_you_mean
    from ablation.store.store import Store
    from ablation.study.plan import load_plan

    study, _, beginning = cell_name.rpartition("/")
    folders = sorted(path.parent for path in outputs.glob(f"{study or '*'}/plan.json"))
    names = {cell.name: cell for folder in folders for cell in load_plan(folder).cells if not cell.is_base}
    # The whole name of one cell may be the beginning of another's.
    matching = [beginning] if beginning in names else [name for name in names if name.startswith(beginning)]
    if len(matching) != 1:
        choices = ", ".join((matching or list(names))[:_SHOWN_NAMES]) or "none"
        raise RecordError(
            f"{cell_name!r} is the beginning of {len(matching)} trained cells{did_you_mean(beginning, names)}; "
            f"choose one of: {choices}"
        )
    return names[matching[0]], Store(outputs / "store")
