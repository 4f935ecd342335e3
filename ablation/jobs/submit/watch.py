"""Watch a study that runs on Slurm: poll records and queue, tell what changes, end when nothing is left to wait for."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ablation.errors import AblationError
from ablation.jobs.status.states import WAITS_FOR_ROOM, CellStatus, cell_states
from ablation.jobs.submit.actions import continue_study
from ablation.specs.cell import Cell
from ablation.study.plan import Plan

_FIRST_POLL_S, _SLOWEST_POLL_S, _SLOWER = 2.0, 60.0, 1.3
_PENDING = ("running", "queued", "unknown")

ShowStates = Callable[[Sequence[CellStatus]], None]


def wait_for_cells(
    plan: Plan, console: Console, show: ShowStates | None = None, cells: Sequence[Cell] | None = None
) -> list[CellStatus]:
    """The states of `cells`, or of all, once none is queued or running. One lost at one poll is asked for again at the next.

    Meanwhile what waits for room is submitted, and what may pass is tried again, whichever cells are watched. Ctrl-C ends the
    watching alone, and says so. `show` is given their states whenever one has changed; without it the console shows them.
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
    """Shows the states of these cells: the table of `ablation status`, live on a terminal, and one line per change elsewhere."""
    from ablation.jobs.status.table import headline, tables

    if not console.is_terminal:
        yield lambda states: console.print(Text(counts_line(Counter(one.state for one in states))), soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(states: Sequence[CellStatus]) -> None:
            live.update(Group(headline(plan.execution.study, states), "", tables(cells, states, console)), refresh=True)

        yield show


def _watched(plan: Plan, cells: Sequence[Cell], console: Console, show: ShowStates) -> list[CellStatus]:
    watched = {cell.name for cell in cells}
    before: Counter[str] = Counter()
    pause, quiet, problem = _FIRST_POLL_S, 0, ""
    while True:
        whole = cell_states(plan.cells, plan.store, plan.folder)
        states = [one for one in whole if one.name in watched]
        counts = Counter[str](one.state for one in states)
        if counts != before:
            show(states)
            pause, before = _FIRST_POLL_S, counts
        # A shared file system shows a record some seconds after the queue forgets the job.
        quiet = 0 if any(_is_pending(one) for one in states) else quiet + 1
        is_settled = quiet > (3 if counts["lost"] else 0)
        sure = [one for one in whole if one.state != "lost" or (is_settled and one.name in watched)]
        told, trouble = _gone_on(plan, sure)
        for text in [*told, *([trouble] if trouble != problem else [])]:
            console.print(Text(text), soft_wrap=True)
        problem = trouble
        if is_settled and not told:
            return states
        quiet = 0 if told else quiet
        time.sleep(pause)
        pause = min(pause * _SLOWER, _SLOWEST_POLL_S) if not quiet else _FIRST_POLL_S


def _is_pending(one: CellStatus) -> bool:
    return one.state in _PENDING or (one.state == "missing" and one.kind == WAITS_FOR_ROOM)


def _gone_on(plan: Plan, states: Sequence[CellStatus]) -> tuple[list[str], str]:
    """What was submitted, and why more could not be: that must not end the watching."""
    try:
        return continue_study(plan, states), ""
    except AblationError as problem:
        return [], str(problem)


def counts_line(counts: Counter[str]) -> str:
    """The counts of all states that occur, e.g. ``3 done, 1 running, 4 queued``."""
    order = ("done", "running", "queued", "held", "failed", "lost", "unknown", "missing")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts[state])


def exceptions(states: Sequence[CellStatus]) -> list[str]:
    """One line for each cell that needs somebody's attention."""
    return [
        f"{one.name}: {one.state}: {one.detail}"
        for one in states
        if one.state in ("failed", "lost", "unknown", "held") or (one.detail or "").startswith("will never start")
    ]
