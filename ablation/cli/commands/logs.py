"""`ablation logs STUDY CELL`: print everything that was logged of one cell; with --follow, go on until the cell has ended."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import find_study_folder, make_json_parser, make_study_parser
from ablation.errors import RecordError, did_you_mean

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands
    from ablation.specs.cell import Cell
    from ablation.study.plan import Plan

# Slurm is asked at most this often whether the cell goes on; its log is looked at more often.
_ASK_S = 5.0
_SHOWN_NAMES = 20


def register(commands: "Commands") -> None:
    """Add the parser of `logs`."""
    logs = commands.add_parser("logs", parents=[make_study_parser(), make_json_parser()], help="the logs of one cell")
    logs.add_argument("cell", help="a cell's name, or how it begins")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the cell has ended")
    logs.set_defaults(run=_print_logs)


def _print_logs(options: argparse.Namespace) -> int:
    from ablation.jobs.status.logs import log_files, read_logs
    from ablation.study.plan import load_plan

    plan = load_plan(find_study_folder(options))
    cell = _find_cell(plan, options.cell)
    last_path: Path | None = None
    for path, text in read_logs(plan.folder, cell.name, IsPending(plan, cell) if options.follow else None):
        if options.json:
            print(json.dumps({"cell": cell.name, "path": str(path), "text": text}), flush=True)
        else:
            ended_text = text if text.endswith("\n") else f"{text}\n"
            print(ended_text if path == last_path else f"== {path}\n{ended_text}", end="", flush=True)
        last_path = path
    if not options.json and not log_files(plan.folder, cell.name):
        print(f"{cell.name} has no log yet")
    return 0


def _find_cell(plan: "Plan", beginning: str) -> "Cell":
    """Return the cell whose name begins so. Raises RecordError when there are none or several, naming them."""
    names = {cell.name: cell for cell in plan.cells}
    if beginning in names:
        return names[beginning]
    matching = [name for name in names if name.startswith(beginning)]
    if len(matching) == 1:
        return names[matching[0]]
    choices = matching or list(names)
    shown = ", ".join(choices[:_SHOWN_NAMES]) + (f", … ({len(choices)})" if len(choices) > _SHOWN_NAMES else "")
    raise RecordError(
        f"{beginning!r} is the beginning of {len(matching)} cells{did_you_mean(beginning, names)}; choose one of: {shown}"
    )


class IsPending:
    """The question of whether a cell is queued or running. Slurm is asked every `ask_s` seconds: seldom enough for a busy one."""

    def __init__(self, plan: "Plan", cell: "Cell", ask_s: float = _ASK_S) -> None:
        self.plan, self.cell, self.ask_s = plan, cell, ask_s
        self.asked_at, self.answer = float("-inf"), True

    def __call__(self) -> bool:
        """True while the cell is pending."""
        from ablation.jobs.status.states import cell_states

        # The record of the end is looked for each time: it is there before the queue knows.
        if self.plan.store.is_complete(self.cell.outcome):
            return False
        if time.monotonic() - self.asked_at > self.ask_s:
            [status] = cell_states([self.cell], self.plan.store, self.plan.folder)
            self.asked_at, self.answer = time.monotonic(), status.state.is_pending
        return self.answer
