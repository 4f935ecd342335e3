"""Watch a study that runs on Slurm: poll records and queue, print what changes, end when nothing is left to wait for."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ablation.errors import AblationError
from ablation.jobs.status.counts import STATES, totals
from ablation.jobs.status.states import WAITS_FOR_ROOM, CellStatus, cell_states
from ablation.jobs.submit.actions import continue_study
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState
from ablation.study.plan import Plan

_FIRST_POLL_S, _SLOWEST_POLL_S, _SLOWER = 2.0, 60.0, 1.3
# Polls after the last pending state before a lost cell counts as lost.
_POLLS_BEFORE_LOST = 3

ShowStates = Callable[[Sequence[CellStatus]], None]


def wait_for_cells(
    plan: Plan, console: Console, show: ShowStates | None = None, cells: Sequence[Cell] | None = None
) -> list[CellStatus]:
    """Return the states of `cells`, or of all cells, once none is queued or running.

    A cell that is lost at one poll is looked up again at the next ones. Meanwhile cells that wait for room are submitted, and
    failures that may pass are tried again, whichever cells are watched. `show` gets the states whenever one has changed; without
    it the console shows them. Ctrl-C ends the watching alone: a line says so, and KeyboardInterrupt is raised.
    """
    watched = plan.cells if cells is None else cells
    try:
        with nullcontext(show) if show else _screen(plan, watched, console) as shown:
            return _watched(plan, watched, console, shown)
    except KeyboardInterrupt:
        text = f"stopped watching; the jobs go on, `ablation watch {plan.execution.study}` comes back to them"
        console.print(Text(text, "yellow"), soft_wrap=True)
        raise


@contextmanager
def _screen(plan: Plan, cells: Sequence[Cell], console: Console) -> Iterator[ShowStates]:
    """Yield a function that shows states: the live table of `ablation status` on a terminal, a line per change elsewhere."""
    from ablation.jobs.status.table import headline, tables

    if not console.is_terminal:
        yield lambda states: console.print(Text(counts_line(totals(states))), soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(states: Sequence[CellStatus]) -> None:
            live.update(Group(headline(plan.execution.study, states), "", tables(cells, states, console)), refresh=True)

        yield show


def _watched(plan: Plan, cells: Sequence[Cell], console: Console, show: ShowStates) -> list[CellStatus]:
    watched = {cell.name for cell in cells}
    before: Counter[str] = Counter()
    pause, quiet_polls, problem = _FIRST_POLL_S, 0, ""
    while True:
        all_states = cell_states(plan.cells, plan.store, plan.folder)
        states = [status for status in all_states if status.name in watched]
        counts = totals(states)
        if counts != before:
            show(states)
            pause, before = _FIRST_POLL_S, counts
        # A shared file system shows a record some seconds after the queue forgets the job.
        quiet_polls = 0 if any(_is_pending(status) for status in states) else quiet_polls + 1
        is_settled = quiet_polls > (_POLLS_BEFORE_LOST if counts[CellState.LOST] else 0)
        # A retry of a cell whose record is only late would be a second run of it.
        certain = [
            status for status in all_states if status.state != CellState.LOST or (is_settled and status.name in watched)
        ]
        lines, new_problem = _continued(plan, certain)
        # While Slurm is away every poll meets the same problem: it is printed once.
        for text in [*lines, *([new_problem] if new_problem != problem else [])]:
            console.print(Text(text), soft_wrap=True)
        problem = new_problem
        if is_settled and not lines:
            return states
        quiet_polls = 0 if lines else quiet_polls
        time.sleep(pause)
        pause = min(pause * _SLOWER, _SLOWEST_POLL_S) if not quiet_polls else _FIRST_POLL_S


def _is_pending(status: CellStatus) -> bool:
    """Return True while the watcher has to wait for the cell.

    Held is left out of the pending states: a held cell moves only when a person acts, and waiting for that would never end. A
    missing cell that waits for room is pending, because this watcher submits it.
    """
    if status.state == CellState.MISSING:
        return status.kind == WAITS_FOR_ROOM
    return status.state.is_pending and status.state != CellState.HELD


def _continued(plan: Plan, states: Sequence[CellStatus]) -> tuple[list[str], str]:
    """Submit and hold what is due. Return the lines that say what was done, and the problem, which does not end the watching."""
    try:
        return continue_study(plan, states), ""
    except AblationError as problem:
        return [], str(problem)


def counts_line(counts: Counter[str]) -> str:
    """Return the counts of all states that occur, such as ``3 done, 1 running, 4 queued``."""
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def exceptions(states: Sequence[CellStatus]) -> list[str]:
    """Return one line for each cell that needs a person's attention."""
    return [f"{status.name}: {status.state}: {status.detail}" for status in states if status.needs_attention]
