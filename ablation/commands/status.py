"""`ablation status` and `watch`: where every cell of a study stands, once or until it ends."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from ablation.commands.arguments import filtered_parent, folder_of, machine_parent, states_of, study_parent

if TYPE_CHECKING:
    from ablation.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parsers of `status` and `watch`."""
    status = commands.add_parser(
        "status", parents=[filtered_parent(), machine_parent()], help="where every cell stands"
    )
    status.set_defaults(run=_status)
    watch = commands.add_parser("watch", parents=[study_parent()], help="follow a study on Slurm to its report")
    watch.set_defaults(run=_watch)


def _status(given: argparse.Namespace) -> int:
    from ablation.dispatch.follow import exceptions, line

    plan, states = states_of(given)
    counts = Counter[str](one.state for one in states)
    if given.json:
        print(json.dumps({"study": plan.execution.study, "counts": counts, "cells": [asdict(one) for one in states]}))
    else:
        print("\n".join([f"{plan.execution.study}: {len(states)} cells, {line(counts)}", *exceptions(states)]))
    return 1 if counts["failed"] or counts["lost"] else 0


def _watch(given: argparse.Namespace) -> int:
    from rich.console import Console

    from ablation.study import load_plan
    from ablation.sweep import follow

    return follow(load_plan(folder_of(given)), Console(highlight=False))
