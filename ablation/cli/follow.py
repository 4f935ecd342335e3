"""Follow a study that was launched, to its end."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from ablation.cli.conclude import EXIT_CELLS_FAILED, EXIT_OK, conclude_study
from ablation.cli.lines import print_line
from ablation.config.cluster import Slurm
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState
from ablation.study.plan import Plan

if TYPE_CHECKING:
    from ablation.jobs.submit.watch import ShowStates


def follow_study(
    plan: Plan, console: Console, show: "ShowStates | None" = None, cells: Sequence[Cell] | None = None
) -> int:
    """Watch a study until no cell of it is queued or running, then conclude it. Returns the exit code.

    Ctrl-C ends the watching alone. `show` gets the states of all cells whenever they have changed, in place of a table. With
    `cells` these alone are watched, and nothing is concluded from a part.
    """
    from ablation.jobs.submit.watch import counts_line, wait_for_cells

    states = wait_for_cells(plan, console, show, cells)
    errors = {
        status.name: status.detail or status.state for status in states if CellState(status.state) is not CellState.DONE
    }
    if cells is not None:
        counts = counts_line(Counter(status.state for status in states)) or "no cell passes the filters"
        print_line(console, f"{counts}; `ablation watch {plan.execution.study}` follows the whole study to its report")
    elif isinstance(plan.execution.cluster, Slurm):
        return conclude_study(plan, errors, console)
    else:
        # The command that launched it runs on this machine, too, and concludes it.
        console.print(
            "nothing of it runs any more; its launch command writes the report, and so does `ablation report`",
            soft_wrap=True,
        )
    return EXIT_CELLS_FAILED if errors else EXIT_OK
