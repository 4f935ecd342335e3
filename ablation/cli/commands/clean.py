"""`ablation clean STUDY`: print what a study no longer needs on disk, ask, and remove it."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_filters_parser, make_json_parser, read_states
from ablation.errors import UsageError
from ablation.terminal import ask_yes_or_no

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands
    from ablation.jobs.clean import Leftover


def register(commands: "Commands") -> None:
    """Add the parser of `clean`."""
    clean = commands.add_parser(
        "clean",
        parents=[make_filters_parser(), make_json_parser()],
        help="remove what a study, or some of its cells, no longer needs; logs and records stay",
    )
    clean.add_argument("--dry-run", action="store_true", help="list it, remove nothing")
    clean.add_argument("--yes", action="store_true", help="remove it without asking")
    clean.add_argument(
        "--weights", action="store_true", help="also the weights of graded cells that no study waits for"
    )
    clean.add_argument("--kept", action="store_true", help="also checkpoints and completions that ended attempts kept")
    clean.set_defaults(run=_clean_study)


def _clean_study(options: argparse.Namespace) -> int:
    from ablation.jobs.clean import leftovers
    from ablation.jobs.status.states import cell_states

    plan, cells, states = read_states(options)
    if options.filters:  # what the other cells wait for is not to go
        states = cell_states(plan.cells, plan.store, plan.folder)
    removable = leftovers(plan, states, options.kept, options.weights, cells if options.filters else None)
    if options.json:
        print(
            json.dumps(
                [{"what": leftover.what, "path": str(leftover.path), "bytes": leftover.size} for leftover in removable]
            )
        )
    else:
        _print_leftovers(removable, options.dry_run)
    if options.dry_run or not removable:
        return 0
    if not options.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("nothing was removed: this is no terminal to ask on; add --yes, or --dry-run to look")
        if not ask_yes_or_no("remove all of it? [y/N] "):
            raise UsageError("nothing was removed")
    for leftover in removable:
        leftover.remove()
    if not options.json:
        print("removed")
    return 0


def _print_leftovers(removable: "list[Leftover]", each: bool) -> None:
    from ablation.planning.view import size_in_words

    for kind in dict.fromkeys(leftover.what for leftover in removable):
        members = [leftover for leftover in removable if leftover.what == kind]
        print(f"{kind}: {len(members)}, {size_in_words(sum(leftover.size for leftover in members))}")
        if each:
            lines = (f"  {leftover.path}  {size_in_words(leftover.size)}\n" for leftover in members)
            print("".join(lines), end="")
    if not removable:
        print("nothing to remove")
