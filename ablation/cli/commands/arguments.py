"""What commands have in common: the study, the filters, --json, and how a study's folder is found."""

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
    """``STUDY`` and ``--outputs``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("study", help="a study's name below --outputs, or its folder")
    parent.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder of all studies")
    return parent


def make_filters_parser() -> argparse.ArgumentParser:
    """``STUDY [FACTOR=LEVEL…]`` and ``--outputs``."""
    parent = argparse.ArgumentParser(add_help=False, parents=[make_study_parser()])
    parent.add_argument(
        "filters",
        nargs="*",
        metavar="FACTOR=LEVEL",
        help="these cells: category=geometry,algebra count>=100 state=failed",
    )
    return parent


def make_json_parser() -> argparse.ArgumentParser:
    """``--json``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="machine-readable")
    return parent


def make_overrides_parser() -> argparse.ArgumentParser:
    """``OVERRIDES``, as launch.py takes them."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("overrides", nargs="*", help="as after `python launch.py -m`, e.g. sweep=cnls cluster=slurm")
    return parent


def possible_folders(given: argparse.Namespace) -> tuple[Path, Path]:
    """Where the study that was asked for may be: below the outputs, or at the path itself."""
    return given.outputs / given.study, Path(given.study)


def find_study_folder(given: argparse.Namespace) -> Path:
    """The folder of the study that was asked for. Raises RecordError, naming the studies there are."""
    for folder in possible_folders(given):
        if (folder / "plan.json").is_file():
            return Path(folder)
        if (folder / "manifest.json").is_file():
            raise RecordError(f"{folder} was imported: it has no cells to run; use ablation report, tiers or export")
    known = sorted(path.parent.name for path in given.outputs.glob("*/plan.json"))
    raise RecordError(
        f"no study {given.study!r}; {given.outputs} has: {', '.join(known) or 'none'}; give its name or its folder"
    )


def find_records_folder(given: argparse.Namespace) -> Path:
    """The folder of a study that has records, run here or imported. Raises RecordError, naming the studies there are."""
    for folder in possible_folders(given):
        if (folder / "manifest.json").is_file():
            return Path(folder)
    known = sorted(path.parent.name for path in given.outputs.glob("*/manifest.json"))
    raise RecordError(
        f"no records of {given.study!r}; {given.outputs} has: {', '.join(known) or 'none'}; give a study's name or folder"
    )


def read_states(given: argparse.Namespace) -> "tuple[Plan, list[Cell], list[CellStatus]]":
    """The study that was asked for, the cells that pass the filters, and the state of each."""
    from ablation.jobs.status.states import selected_states
    from ablation.study.plan import load_plan

    plan = load_plan(find_study_folder(given))
    return plan, *selected_states(plan.cells, given.filters, plan.store, plan.folder)
