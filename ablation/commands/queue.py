"""`ablation cancel`: what is done to cells that are queued or running on Slurm."""

import argparse
from typing import TYPE_CHECKING

from ablation.commands.arguments import filtered_parent, states_of

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `cancel`."""
    cancel = commands.add_parser(
        "cancel", parents=[filtered_parent()], help="cancel what is queued or running on Slurm"
    )
    cancel.set_defaults(run=_cancel)


def _cancel(given: argparse.Namespace) -> int:
    from ablation.dispatch.steer import cancel

    plan, _, states = states_of(given)
    cancelled = cancel(plan, states)
    print(f"cancelled {len(cancelled)} cells; finished work is kept, and the launch command submits the rest again")
    return 0
