"""`ablation failures`: what went wrong, grouped, with the next step."""

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
    failures.set_defaults(run=_failures)


def _failures(given: argparse.Namespace) -> int:
    from ablation.jobs.status.failures import group_failures

    found = group_failures(read_states(given)[2])
    if given.json:
        print(json.dumps([asdict(one) for one in found]))
        return 1 if found else 0
    for one in found:
        print(f"{len(one.cells)} × {one.kind}: {printable(one.message)}\n  next: {one.next_step}")
        print("".join(f"  {name}\n" for name in one.cells), end="")
    if not found:
        print("no failures")
    return 1 if found else 0
