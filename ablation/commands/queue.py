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
    from ablation.dispatch import slurm
    from ablation.dispatch.ledger import LEDGER, Ledger

    plan, _, states = states_of(given)
    tasks = Ledger(plan.folder / LEDGER).latest()
    live = [one.name for one in states if one.state in ("queued", "running")]
    slurm.cancel([tasks[name] for name in live])
    print(f"cancelled {len(live)} cells; finished work is kept, and the launch command submits the rest again")
    return 0
