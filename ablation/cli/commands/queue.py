"""`ablation cancel | hold | release | retry STUDY`: act on a study's cells on Slurm, and print how many were reached."""

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
    for name, run, text in (
        ("cancel", _cancel, "cancel what is queued or running on Slurm"),
        ("hold", _hold, "keep queued cells from starting"),
        ("release", _release, "let held cells go on"),
    ):
        parser = commands.add_parser(name, parents=[make_filters_parser(), make_json_parser()], help=text)
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


def _cancel(options: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import cancel

    plan, _, states = read_states(options)
    return _print_cells(
        options,
        "cancelled",
        cancel(plan, states),
        "; finished work is kept, and the launch command submits the rest again",
    )


def _hold(options: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import hold

    plan, _, states = read_states(options)
    return _print_cells(
        options,
        "held",
        hold(plan, states),
        f"; those that run go on, `ablation release {plan.execution.study}` lets the others start",
    )


def _release(options: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import release

    plan, _, states = read_states(options)
    waiting, submitted = release(plan, states)
    return _print_cells(options, "released", [*waiting, *_submitted_cells(submitted)])


def _retry(options: argparse.Namespace) -> int:
    from ablation.jobs.submit.actions import retry

    plan, _, states = read_states(options)
    submitted = retry(plan, [status for status in states if status.state.is_failure], options.kinds)
    waiting = f"; {len(submitted.waiting)} wait for room ({submitted.why})" if submitted.waiting else ""
    return _print_cells(options, "submitted again", _submitted_cells(submitted), waiting)


def _submitted_cells(submitted: "SubmitResult") -> list[str]:
    return list(dict.fromkeys(cell for array in submitted.taken for cell in array.cells))


def _print_cells(options: argparse.Namespace, action: str, cells: Sequence[str], advice: str = "") -> int:
    if options.json:
        print(json.dumps({"cells": list(cells)}))
    else:
        print(f"{action}: {len(cells)} cells{advice}")
    return 0
