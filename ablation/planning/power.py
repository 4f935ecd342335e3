"""The smallest effects that a design can show, computed before it is paid for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.errors import DataError
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import SEEDS

if TYPE_CHECKING:
    import pandas as pd

# The simulation takes a second for a hundred cells; beyond this it is `ablation power`'s.
AT_MOST_CELLS = 300
LATER = "power: not simulated for so many cells; `ablation power` with the same arguments does"


def power_lines(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return a line for each factor: the smallest effect that it can show over all questions. Factors not compared have none."""
    from ablation.analysis.power.smallest_effects import assumed_from_figure, smallest_effects
    from ablation.analysis.records.load import ALL
    from ablation.data.benchmark import read_tiers

    if len(cells) > AT_MOST_CELLS:
        return (LATER,)
    try:
        assumptions = assumed_from_figure(list(read_tiers(cells[0].benchmark).values()))
    except DataError:  # the benchmark is not on this machine, and what is wrong with it is said at launch
        return ()
    n_attempts = min(cell.sample.n for cell in cells)
    table = smallest_effects(planned_cells(cells), n_attempts, assumptions, tiers=[ALL])
    lines = []
    for factor, rows in table.dropna(subset=["effect_these"]).groupby("factor", sort=False):
        on_these, on_such = (100 * rows[column].max() for column in ("effect_these", "effect"))
        lines.append(f"{factor}: from {on_these:.1f} points on these questions, {on_such:.1f} for questions like these")
    return tuple(lines)


def planned_cells(cells: Sequence[Cell]) -> "pd.DataFrame":
    """Return a table of factors and seeds, a row for each cell, with the columns that the tables of a study have."""
    import pandas as pd

    rows = [{**cell.factors(), **{f"seed_{name}": getattr(cell.seed, name) for name in SEEDS}} for cell in cells]
    return pd.DataFrame(rows)
