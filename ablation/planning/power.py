"""What a design will be able to tell, said before it is paid for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.errors import DataError
from ablation.specs.cell import Cell

if TYPE_CHECKING:
    import pandas as pd

# The simulation takes a second for a hundred cells; beyond this it is `ablation power`'s.
AT_MOST_CELLS = 300
LATER = "power: not simulated for so many cells; `ablation power` with the same arguments does"


def power_lines(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The smallest effect that each factor can show over all questions, one line a factor; nothing where none is compared."""
    from ablation.analysis.power.smallest_effects import assumed_from_figure, smallest_effects
    from ablation.analysis.records.load import ALL
    from ablation.data.benchmark import read_tiers

    if len(cells) > AT_MOST_CELLS:
        return (LATER,)
    try:
        world = assumed_from_figure(list(read_tiers(cells[0].benchmark).values()))
    except DataError:  # the benchmark is not on this machine, and what is wrong with it is said at launch
        return ()
    table = smallest_effects(planned_cells(cells), min(cell.sample.n for cell in cells), world, tiers=[ALL])
    told = []
    for factor, group in table.dropna(subset=["effect_these"]).groupby("factor", sort=False):
        these, like = (100 * group[name].max() for name in ("effect_these", "effect"))
        told.append(f"{factor}: from {these:.1f} points on these questions, {like:.1f} for questions like these")
    return tuple(told)


def planned_cells(cells: Sequence[Cell]) -> "pd.DataFrame":
    """Factors and seeds of cells, as the tables name them."""
    import pandas as pd

    rows = [
        {**cell.factors(), **{f"seed_{name}": getattr(cell.seed, name) for name in ("data", "train", "sample")}}
        for cell in cells
    ]
    return pd.DataFrame(rows)
