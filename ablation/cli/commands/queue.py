"""`ablation cancel | hold | release | retry`: what is done to a study's cells on Slurm."""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_filters_parser, make_json_parser, read_states

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands
    from ablation.jobs.submit.submitter import SubmitResult


def register(commands: "Commands") -> None:
    """Add the parsers of all four."""
    for name, run, told in (
        ("cancel", _cancel, "cancel what is queued or running on Slurm"),
        ("hold", _hold, "keep queued cells from starting"),
        ("release", _release, "let held cells go on"),
    ):
        parser = commands.add_parser(name, parents=[make_filters_parser(), make_json_parser()], help=told)
        parser.set_defaults(run=run)
    retry = commands.add_parser(
        "retry",
        parents=[make_filters_parser(), make_json_parser()],
        help="submit failed cells again, with what their class asks for",
    )
    retry.add_argument(
        "--class", dest="kinds", action="append", metavar="CLASS", help="only failures of this class, e.g. oom_gpu"
    )
    retry.set_defaults(run=_retry)


def _cancel(given: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import cancel

    plan, _, states = read_states(given)
    return _say(
        given,
        "cancelled",
        cancel(plan, states),
        "; finished work is kept, and the launch command submits the rest again",
    )


def _hold(given: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import hold

    plan, _, states = read_states(given)
    return _say(
        given,
        "held",
        hold(plan, states),
        f"; those that run go on, `ablation release {plan.execution.study}` lets the others start",
    )


def _release(given: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import release

    plan, _, states = read_states(given)
    waiting, submitted = release(plan, states)
    return _say(given, "released", [*waiting, *_cells(submitted)])


def _retry(given: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import retry

    plan, _, states = read_states(given)
    submitted = retry(plan, [one for one in states if one.state in ("failed", "lost")], given.kinds)
    waiting = f"; {len(submitted.waiting)} wait for room ({submitted.why})" if submitted.waiting else ""
    return _say(given, "submitted again", _cells(submitted), waiting)


def _cells(submitted: "SubmitResult") -> list[str]:
    return list(dict.fromkeys(cell for one in submitted.taken for cell in one.cells))


def _say(given: argparse.Namespace, what: str, cells: Sequence[str], more: str = "") -> int:
    if given.json:
        print(json.dumps({"cells": list(cells)}))
    else:
        print(f"{what}: {len(cells)} cells{more}")
    return 0
