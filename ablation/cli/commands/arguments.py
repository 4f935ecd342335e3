"""The arguments that commands share: the study, the filters, --json and overrides; and the study that they name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.errors import RecordError

if TYPE_CHECKING:
    from ablation.jobs.status.states import CellStatus
    from ablation.specs.cell import Cell
    from ablation.study.plan import Plan

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def make_study_parser() -> argparse.ArgumentParser:
    """Make the parser of ``STUDY`` and ``--outputs``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("study", help="a study's name below --outputs, or its folder")
    parent.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    return parent


def make_filters_parser() -> argparse.ArgumentParser:
    """Make the parser of ``STUDY [FACTOR=LEVEL…]`` and ``--outputs``."""
    parent = argparse.ArgumentParser(add_help=False, parents=[make_study_parser()])
    parent.add_argument(
        "filters",
        nargs="*",
        metavar="FACTOR=LEVEL",
        help="these cells: category=geometry,algebra count>=100 state=failed",
    )
    return parent


def make_json_parser() -> argparse.ArgumentParser:
    """Make the parser of ``--json``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="machine-readable")
    return parent


def make_overrides_parser() -> argparse.ArgumentParser:
    """Make the parser of ``OVERRIDES``, as launch.py takes them."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("overrides", nargs="*", help="as after `python launch.py -m`, e.g. sweep=cnls cluster=slurm")
    return parent


def possible_folders(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the folders in which the named study may be: below the outputs, or at the path itself."""
    return options.outputs / options.study, Path(options.study)


def find_study_folder(options: argparse.Namespace) -> Path:
    """Return the folder of the named study. Raises RecordError, naming the studies that there are."""
    for folder in possible_folders(options):
        if (folder / "plan.json").is_file():
            return Path(folder)
        if (folder / "manifest.json").is_file():
            raise RecordError(f"{folder} was imported: it has no cells to run; use ablation report, tiers or export")
    studies = sorted(path.parent.name for path in options.outputs.glob("*/plan.json"))
    raise RecordError(
        f"no study {options.study!r}; {options.outputs} has: {', '.join(studies) or 'none'}; give its name or its folder"
    )


def find_records_folder(options: argparse.Namespace) -> Path:
    """Return the folder of the named study, run here or imported, that has records.

    Raises RecordError, naming the studies that there are.
    """
    for folder in possible_folders(options):
        if (folder / "manifest.json").is_file():
            return Path(folder)
    studies = sorted(path.parent.name for path in options.outputs.glob("*/manifest.json"))
    raise RecordError(
        f"no records of {options.study!r}; {options.outputs} has: {', '.join(studies) or 'none'}; give a study's name or folder"
    )


def read_states(options: argparse.Namespace) -> "tuple[Plan, list[Cell], list[CellStatus]]":
    """Return the named study, its cells that pass the filters, and the state of each.

    Raises RecordError when there is no such study, and UnknownFilter.
    """
    from ablation.jobs.status.states import selected_states
    from ablation.study.plan import load_plan

    plan = load_plan(find_study_folder(options))
    return plan, *selected_states(plan.cells, options.filters, plan.store, plan.folder)
