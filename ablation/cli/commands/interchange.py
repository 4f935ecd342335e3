"""`ablation import` and `export`: records of others as a study, and a study in the form that others read."""

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
        "harness",
        parents=[make_study_parser()],
        help="sample logs and results of lm-evaluation-harness, a folder a cell",
    )
    harness.add_argument("--output", type=Path, required=True, metavar="DIR")
    harness.set_defaults(run=_harness)
    train = forms.add_parser("train", help="the training set of one cell, as a dataset for other trainers")
    train.add_argument("cell", help="a cell's name, or how it begins; its study may stand before it: STUDY/CELL")
    train.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    train.add_argument("--output", type=Path, required=True, metavar="DIR")
    train.add_argument("--form", choices=("parquet", "jsonl"), default="parquet", help="parquet, unless told otherwise")
    train.set_defaults(run=_train)


def _import(given: argparse.Namespace) -> int:
    from ablation.errors import DataError
    from ablation.report.page import write_report
    from ablation.study.interchange.columns import read_columns
    from ablation.study.interchange.import_study import import_study, study_name

    if not given.source.exists():
        raise DataError(f"{given.source} does not exist; give a table of counts, a sample log or a folder of logs")
    folder = given.outputs / study_name(given.study)
    models = import_study(given.source, folder, read_columns(given.columns), shlex.join(["ablation", *sys.argv[1:]]))
    for name, count in models.items():
        print(f"{name}: {count:,} attempts")
    print(f"report: {write_report(folder)}")
    return 0


def _harness(given: argparse.Namespace) -> int:
    from ablation.study.interchange.export_study import export_harness

    written = export_harness(find_records_folder(given), given.output)
    print(f"{len(written)} cells: {given.output}")
    return 0


def _train(given: argparse.Namespace) -> int:
    from ablation.data.corpus.export import export_train
    from ablation.jobs.run.pipeline import run_cell

    cell, store = _cell_of_any(given.cell, given.outputs)
    file = export_train(cell, run_cell(cell, store, last="select"), given.form, given.output)
    print(f"{cell.count.size:,} trajectories of {cell.name}: {file}")
    return 0


def _cell_of_any(told: str, outputs: Path) -> "tuple[Cell, Store]":
    """The one trained cell, in any study of these outputs, whose name begins so. Raises RecordError, naming what there is."""
    from ablation.errors import RecordError, did_you_mean
    from ablation.store.store import Store
    from ablation.study.plan import load_plan

    study, _, beginning = told.rpartition("/")
    folders = sorted(path.parent for path in outputs.glob(f"{study or '*'}/plan.json"))
    names = {cell.name: cell for folder in folders for cell in load_plan(folder).cells if not cell.is_base}
    matching = [beginning] if beginning in names else [name for name in names if name.startswith(beginning)]
    if len(matching) != 1:
        known = ", ".join((matching or list(names))[:_SHOWN_NAMES]) or "none"
        raise RecordError(
            f"{told!r} is the beginning of {len(matching)} trained cells{did_you_mean(beginning, names)}; choose one of: {known}"
        )
    return names[matching[0]], Store(outputs / "store")
