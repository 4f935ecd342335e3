"""`ablation logs`: everything that was written about one cell."""

import argparse
import sys
from typing import TYPE_CHECKING

from ablation.commands.arguments import folder_of, study_parent
from ablation.errors import RecordError

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `logs`."""
    logs = commands.add_parser("logs", parents=[study_parent()], help="the logs of one cell")
    logs.add_argument("cell", help="a cell's name, or how it begins")
    logs.set_defaults(run=_logs)


def _logs(given: argparse.Namespace) -> int:
    from ablation.dispatch.ledger import LEDGER, Ledger, latest
    from ablation.study import load_plan

    plan = load_plan(folder_of(given))
    names = [cell.name for cell in plan.cells if cell.name.startswith(given.cell)]
    if len(names) != 1:
        known = names or [cell.name for cell in plan.cells]
        raise RecordError(f"{given.cell!r} is the beginning of {len(names)} cells; choose one of: {', '.join(known)}")
    tasks = latest(Ledger(plan.folder / LEDGER).submissions()).get(names[0], {}).values()
    logs = plan.folder / "logs"
    files = [logs / f"{names[0]}.log", *(logs / f"{task.job}_0_log.out" for task in tasks)]
    paths = [path for path in files if path.is_file()]
    for path in paths:
        sys.stdout.write(f"== {path}\n{path.read_text(errors='replace')}")
    if not paths:
        print(f"{names[0]} has no log yet")
    return 0
