"""`ablation clean`: give back the disk that a study no longer needs."""

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
    clean.set_defaults(run=_clean)


def _clean(given: argparse.Namespace) -> int:
    from ablation.jobs.clean import leftovers
    from ablation.jobs.status.states import cell_states

    plan, cells, states = read_states(given)
    if given.filters:  # what the other cells wait for is not to go
        states = cell_states(plan.cells, plan.store, plan.folder)
    found = leftovers(plan, states, given.kept, given.weights, cells if given.filters else None)
    if given.json:
        print(json.dumps([{"what": one.what, "path": str(one.path), "bytes": one.size} for one in found]))
    else:
        _show(found, given.dry_run)
    if given.dry_run or not found:
        return 0
    if not given.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("nothing was removed: this is no terminal to ask on; add --yes, or --dry-run to look")
        if not ask_yes_or_no("remove all of it? [y/N] "):
            raise UsageError("nothing was removed")
    for one in found:
        one.remove()
    if not given.json:
        print("removed")
    return 0


def _show(found: "list[Leftover]", each: bool) -> None:
    from ablation.planning.view import size_in_words

    for what in dict.fromkeys(one.what for one in found):
        members = [one for one in found if one.what == what]
        print(f"{what}: {len(members)}, {size_in_words(sum(one.size for one in members))}")
        if each:
            print("".join(f"  {one.path}  {size_in_words(one.size)}\n" for one in members), end="")
    if not found:
        print("nothing to remove")
