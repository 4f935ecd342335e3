"""Carry out a plan: validate, run what is missing, track, write the study, report; then say how it ended."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ablation.config.cluster import Local, Slurm
from ablation.config.credentials import masked
from ablation.config.execution import Execution
from ablation.config.sweep.design import LeftOut
from ablation.jobs.run.job import Job, Outcome, jobs_of
from ablation.jobs.submit.strays import refuse_strays
from ablation.planning.engines import engine_conflicts
from ablation.specs.cell import Cell
from ablation.store.files import check_writable
from ablation.study.manifest import FAILED, is_shown, mark_shown, note_failure, open_study, write_study
from ablation.study.plan import Plan, save_plan
from ablation.study.provenance import git_state

if TYPE_CHECKING:
    from ablation.jobs.submit.watch import Show

EXIT_OK, EXIT_CELLS_FAILED = 0, 1


def run_study(
    cells: Sequence[Cell], left_out: Sequence[LeftOut], execution: Execution, remarks: Sequence[str] = ()
) -> int:
    """Run a study to its report, or hand it to Slurm. Returns the exit code; raises AblationError when nothing was started."""
    console = Console(highlight=False)
    plan = _prepared(cells, left_out, execution, console)
    for line in [*remarks, *open_study(plan)]:
        console.print(Text(line, style="yellow"), soft_wrap=True)
    jobs = _missing_jobs(plan)
    done = len(plan.cells) - len(jobs)
    console.print(f"study {execution.study}: {len(plan.cells)} cells, {done} done already, {len(jobs)} to run")
    for line in engine_conflicts(plan.cells, plan.store) if jobs else []:
        console.print(Text(f"warning: {line}", style="yellow"), soft_wrap=True)
    cluster = execution.cluster
    if isinstance(cluster, Slurm):
        refuse_strays(plan)
        if jobs:
            return _hand_over(plan, jobs, cluster, console)
    save_plan(plan)
    return conclude_study(plan, _run_here(plan, jobs, cluster, console) if isinstance(cluster, Local) else {}, console)


def _prepared(cells: Sequence[Cell], left_out: Sequence[LeftOut], execution: Execution, console: Console) -> Plan:
    from ablation.planning.validate import prepare_cells

    outputs = Path(execution.outputs)
    check_writable(outputs)
    plan = Plan(
        (), tuple(left_out), execution, command_line(), datetime.now(UTC).isoformat(timespec="seconds"), git_state()
    )
    plan.store.sweep_abandoned()

    def say(text: str) -> None:
        console.print(Text(text, style="dim"), soft_wrap=True)

    ready = prepare_cells(cells, plan.store, say, execution.cluster)
    unique = tuple({cell.key: cell for cell in ready}.values())
    if len(unique) < len(ready):
        console.print(
            Text(f"{len(ready) - len(unique)} cells are equal to others and are computed once", style="yellow")
        )
    return replace(plan, cells=unique)


def _missing_jobs(plan: Plan) -> list[Job]:
    return jobs_of(plan, [cell for cell in plan.cells if plan.store.find(cell.outcome) is None])


def _run_here(plan: Plan, jobs: Sequence[Job], cluster: Local, console: Console) -> dict[str, str]:
    """Errors of the failed cells by name. On Ctrl-C the view is written before the interrupt goes on."""
    if not jobs:
        return {}
    from ablation.jobs.run.live_table import Board
    from ablation.jobs.run.local import run_jobs
    from ablation.jobs.status.presence import running_here

    def note(outcome: Outcome) -> None:
        if outcome.error:
            note_failure(plan.folder, outcome.name, outcome.error)

    board = Board(console, len(jobs), cluster.workers_for(len(jobs)), cluster.kind != "debug", note)
    try:
        with running_here(plan.folder):
            (plan.folder / FAILED).unlink(missing_ok=True)
            outcomes = run_jobs(jobs, cluster, board)
    except KeyboardInterrupt:
        write_study(plan, {ended.name: ended.error for ended in board.outcomes if ended.error})
        console.print(Text("stopped; finished work is kept, and the same command goes on from here", style="yellow"))
        raise
    return {outcome.name: outcome.error for outcome in outcomes if outcome.error}


def _hand_over(plan: Plan, jobs: Sequence[Job], cluster: Slurm, console: Console) -> int:
    from ablation.jobs.submit.submitter import submit_missing
    from ablation.planning.cost import confirm_budget
    from ablation.planning.fits import models_without_gpu

    cells = [job.cell for job in jobs]
    for line in models_without_gpu(cells, cluster):
        console.print(Text(f"warning: {line}", style="yellow"), soft_wrap=True)
    confirm_budget(cells, cluster, plan.store, plan.folder)
    # A launch that is refused leaves the plan of what is queued as it was.
    done = submit_missing(jobs, cluster, plan.folder, on_begin=lambda: save_plan(plan))
    ids = ", ".join(str(one.job) for one in done.taken)
    console.print(f"{done.cells} cells submitted{f' as {ids}' if ids else ''}, {done.queued} in the queue already")
    if done.waiting:
        console.print(
            Text(
                f"{len(done.waiting)} cells wait for room in the queue ({done.why}): `ablation watch {plan.execution.study}` "
                "submits them as it appears, and so does this command when it is given again",
                style="yellow",
            ),
            soft_wrap=True,
        )
    if cluster.wait:
        return follow_study(plan, console)
    write_study(plan, {})
    console.print(
        f"they run without this command: `ablation watch {plan.execution.study}` follows them to the report",
        soft_wrap=True,
    )
    return EXIT_OK


def follow_study(plan: Plan, console: Console, show: "Show | None" = None, cells: Sequence[Cell] | None = None) -> int:
    """Watch a study until nothing of it is queued or running, then conclude. Ctrl-C stops the watching alone.

    `show` is given the states of all cells whenever they have changed, in place of a table. With `cells` these alone are watched,
    and nothing is concluded from a part. What runs on this machine is concluded by the command that launched it.
    """
    from ablation.jobs.submit.watch import line, wait_for_cells

    states = wait_for_cells(plan, console, show, cells)
    errors = {one.name: one.detail or one.state for one in states if one.state != "done"}
    if cells is not None:
        told = line(Counter(one.state for one in states)) or "no cell passes the filters"
        console.print(
            Text(f"{told}; `ablation watch {plan.execution.study}` follows the whole study to its report"),
            soft_wrap=True,
        )
        return EXIT_CELLS_FAILED if errors else EXIT_OK
    if isinstance(plan.execution.cluster, Slurm):
        return conclude_study(plan, errors, console)
    console.print(
        "nothing of it runs any more; its launch command writes the report, and so does `ablation report`",
        soft_wrap=True,
    )
    return EXIT_CELLS_FAILED if errors else EXIT_OK


def conclude_study(plan: Plan, errors: dict[str, str], console: Console) -> int:
    """Write tables, tracker runs and report from the records unless they show this already; say how it ended; the exit code."""
    if not errors and is_shown(plan):
        page = plan.folder / "report/index.html"
        console.print(
            Text(
                f"nothing has changed since the report was written (`ablation report {plan.execution.study}` writes it again)"
            ),
            soft_wrap=True,
        )
        console.print(f"report: {page}", soft_wrap=True)
        return EXIT_OK
    from ablation.analysis import load
    from ablation.analysis.findings.analyse import analyse
    from ablation.config.tracker import mode_of, notice
    from ablation.report.page import write_analysed
    from ablation.report.terminal import render
    from ablation.report.wandb_study_run import track_study
    from ablation.tracking.cell_run import track

    write_study(plan, errors)
    analysis = analyse(load(plan.folder), partial=True)
    page = write_analysed(analysis, plan.folder)
    console.print(render(analysis))
    for name, error in errors.items():
        console.print(
            Text(f"failed: {name}: {error} (`ablation logs {plan.execution.study} {name}`)", style="red"),
            soft_wrap=True,
        )
    tracker = plan.execution.tracker
    troubles = track(plan.cells, plan.store, tracker, plan.execution.study)
    if not troubles and (mode := mode_of(tracker)) != "disabled":
        told, troubles = track_study(plan.folder, plan.store.root / "tracked", tracker, mode)
        for line in told:
            console.print(Text(line, style="dim"), soft_wrap=True)
    console.print(Text(notice(plan.execution.tracker, Path(plan.execution.outputs)), style="dim"), soft_wrap=True)
    for trouble in troubles:
        console.print(
            Text(
                f"W&B did not take the runs ({trouble}); the records are complete, the next command tries again",
                style="yellow",
            )
        )
    console.print(f"report: {page}", soft_wrap=True)
    if errors:
        console.print(
            Text(f"{len(errors)} of {len(plan.cells)} cells failed; the same command tries them again", style="red")
        )
    if not errors and not troubles:
        mark_shown(plan)
    return EXIT_CELLS_FAILED if errors else EXIT_OK


def command_line() -> str:
    """The command as it was typed, quoted for a shell, keys replaced by ``***``: it is kept with the study."""
    return "python " + shlex.join([masked(word, os.environ) for word in (Path(sys.argv[0]).name, *sys.argv[1:])])
