"""`ablation power OVERRIDES`: print the smallest effects that a sweep can show, and what would make them smaller."""

import argparse
import json
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_json_parser, make_overrides_parser
from ablation.terminal import console

if TYPE_CHECKING:
    import pandas as pd

    from ablation.cli.commands.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the parser of `power`."""
    power = commands.add_parser(
        "power",
        parents=[make_overrides_parser(), make_json_parser()],
        help="the smallest effect each planned contrast can show, and what would make it smaller",
    )
    power.add_argument("--from", dest="study", metavar="FOLDER", help="take pass rates from this study's records")
    power.set_defaults(run=_print_power)


def _print_power(options: argparse.Namespace) -> int:
    from ablation.analysis import Scores, load
    from ablation.analysis.power.smallest_effects import (
        assumed_from_figure,
        assumed_from_records,
        effect_sentences,
        replicate_warning,
        smallest_effects,
        what_to_raise,
    )
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.benchmark import read_tiers
    from ablation.planning.power import planned_cells

    cells = compose_sweep(options.overrides).cells
    n = min(cell.sample.n for cell in cells)
    assumptions = (
        assumed_from_records(Scores.of(load(options.study), partial=True))
        if options.study
        else assumed_from_figure(list(read_tiers(cells[0].benchmark).values()))
    )
    planned = planned_cells(cells)
    effects = smallest_effects(planned, n, assumptions)
    increases = what_to_raise(planned, n, assumptions)
    warning = replicate_warning(planned)
    if options.json:
        content = {"assumptions": assumptions.source, "n": n, "questions": len(assumptions.tiers)}
        tables = {"contrasts": effects, "options": increases}
        content["caution"] = warning
        content |= {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        print(json.dumps(content))
        return 0
    out = console()
    out.print(f"{len(cells)} cells, {n} attempts at {len(assumptions.tiers)} questions; {assumptions.source}")
    out.print("smallest effect found with 80 % power at 5 %, in points, on these questions (for questions like these):")
    for line in _contrasts(effects):
        out.print(line)
    out.print("the largest of each factor, and what would shrink it most:")
    for line in effect_sentences(increases):
        out.print(f"  {line}")
    if warning:
        out.print(warning)
    return 0


def _contrasts(effects: "pd.DataFrame") -> list[str]:
    """Return a line for each contrast, its tiers side by side."""
    lines = []
    for (factor, level, reference), group in effects.groupby(
        ["factor", "level", "reference"], sort=False, dropna=False
    ):
        rows = group.to_dict("records")
        if rows[0]["reason"]:
            lines.append(f"  {factor}: {rows[0]['reason']}")
            continue
        by_tier = ", ".join(f"{row['tier']} {_points(row['effect_these'])} ({_points(row['effect'])})" for row in rows)
        lines.append(f"  {factor} {level} against {reference}, {rows[0]['pairs']} pairs: {by_tier}")
    return lines


def _points(fraction: float) -> str:
    return "–" if fraction != fraction else f"{100 * fraction:.1f}"
