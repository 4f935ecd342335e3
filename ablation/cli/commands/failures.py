"""`ablation failures STUDY`: print the failed cells, grouped by error, with the next step for each group."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_filters_parser, make_json_parser, read_states
from ablation.terminal import printable

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `failures`."""
    failures = commands.add_parser(
        "failures",
        parents=[make_filters_parser(), make_json_parser()],
        help="failures grouped by what went wrong, with the next step",
    )
    failures.set_defaults(run=_print_failures)


def _print_failures(options: argparse.Namespace) -> int:
    from ablation.jobs.status.failures import group_failures

    groups = group_failures(read_states(options)[2])
    if options.json:
        print(json.dumps([asdict(group) for group in groups]))
        return 1 if groups else 0
    for group in groups:
        print(f"{len(group.cells)} × {group.kind}: {printable(group.message)}\n  next: {group.next_step}")
        print("".join(f"  {name}\n" for name in group.cells), end="")
    if not groups:
        print("no failures")
    return 1 if groups else 0
