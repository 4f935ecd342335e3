"""Run a study: cells → plan → jobs → (here, or on Slurm) → records and report. Then say how it ended."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ablation.cli.conclude import conclude_study
from ablation.cli.lines import print_line
from ablation.config.cluster import Local, Slurm
from ablation.config.credentials import masked
from ablation.config.execution import Execution
from ablation.config.sweep.design import LeftOut
from ablation.jobs.run.job import Job, JobResult, jobs_of
from ablation.jobs.submit.unplanned_cells import refuse_unplanned_cells
from ablation.planning.engines import engine_conflicts
from ablation.specs.cell import Cell
from ablation.store.files import check_writable
from ablation.study.manifest import FAILED, note_failure, open_study, write_study
from ablation.study.plan import Plan, save_plan
from ablation.study.provenance import git_state


def run_study(
    cells: Sequence[Cell], left_out: Sequence[LeftOut], execution: Execution, remarks: Sequence[str] = ()
) -> int:
    """Run a study to its report, or hand it to Slurm. Returns the exit code; raises AblationError when nothing was started."""
    console = Console(highlight=False)
    plan = _plan_cells(cells, left_out, execution, console)
    for line in [*remarks, *open_study(plan)]:
        print_line(console, line, "yellow")
    jobs = _missing_jobs(plan)
    _print_work(plan, jobs, console)
    cluster = execution.cluster
    if isinstance(cluster, Slurm):
        from ablation.cli.submit import submit_study

        refuse_unplanned_cells(plan)
        if jobs:
            return submit_study(plan, jobs, cluster, console)
    save_plan(plan)
    errors = _run_here(plan, jobs, cluster, console) if isinstance(cluster, Local) else {}
    return conclude_study(plan, errors, console)


def command_line() -> str:
    """Return the command as it was typed, quoted for a shell, keys replaced by ``***``: it is kept with the study."""
    return "python " + shlex.join([masked(word, os.environ) for word in (Path(sys.argv[0]).name, *sys.argv[1:])])


def _plan_cells(cells: Sequence[Cell], left_out: Sequence[LeftOut], execution: Execution, console: Console) -> Plan:
    """Return the plan of these cells, each once, their sources pinned. Raises ConfigProblems with all that is wrong."""
    from ablation.planning.validate import prepare_cells

    check_writable(Path(execution.outputs))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    plan = Plan((), tuple(left_out), execution, command_line(), created, git_state())
    plan.store.sweep_abandoned()
    ready = prepare_cells(cells, plan.store, lambda text: print_line(console, text, "dim"), execution.cluster)
    unique = tuple({cell.key: cell for cell in ready}.values())
    if len(unique) < len(ready):
        text = f"{len(ready) - len(unique)} cells are equal to others and are computed once"
        console.print(Text(text, style="yellow"))
    return replace(plan, cells=unique)


def _missing_jobs(plan: Plan) -> list[Job]:
    """Return a job for each cell that the store does not hold yet."""
    return jobs_of(plan, [cell for cell in plan.cells if plan.store.find(cell.outcome) is None])


def _print_work(plan: Plan, jobs: Sequence[Job], console: Console) -> None:
    done = len(plan.cells) - len(jobs)
    console.print(f"study {plan.execution.study}: {len(plan.cells)} cells, {done} done already, {len(jobs)} to run")
    for line in engine_conflicts(plan.cells, plan.store) if jobs else []:
        print_line(console, f"warning: {line}", "yellow")


def _run_here(plan: Plan, jobs: Sequence[Job], cluster: Local, console: Console) -> dict[str, str]:
    """Run the jobs on this machine. Returns the errors of failed cells by cell name; Ctrl-C writes the tables, then goes on."""
    if not jobs:
        return {}
    from ablation.jobs.run.live_table import LiveTable
    from ablation.jobs.run.local import run_jobs
    from ablation.jobs.status.local_run import announce_local_run

    def note_if_failed(outcome: JobResult) -> None:
        if outcome.error:
            note_failure(plan.folder, outcome.name, outcome.error)

    board = LiveTable(console, len(jobs), cluster.workers_for(len(jobs)), cluster.kind != "debug", note_if_failed)
    try:
        with announce_local_run(plan.folder):
            # Those failures are of an earlier launch, and these cells are tried again.
            (plan.folder / FAILED).unlink(missing_ok=True)
            outcomes = run_jobs(jobs, cluster, board)
    except KeyboardInterrupt:
        write_study(plan, {outcome.name: outcome.error for outcome in board.outcomes if outcome.error})
        console.print(Text("stopped; finished work is kept, and the same command goes on from here", style="yellow"))
        raise
    return {outcome.name: outcome.error for outcome in outcomes if outcome.error}
