"""`ablation audit`: what the cells of a sweep would train on, before anything is trained."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ablation.cli.commands.arguments import make_json_parser, make_overrides_parser
from ablation.terminal import console

if TYPE_CHECKING:
    from rich.table import Table

    from ablation.cli.commands.arguments import Commands
    from ablation.data.corpus.audit import Audit, SelectedCells
    from ablation.specs.cell import Cell
    from ablation.store.store import Store


# A file or a pipe has no edge at which names must be cut.
_FILE_WIDTH = 200
# A narrower terminal goes without what the page has, too.
_FROM_WIDTH = {"problems": 120, "p10": 120, "p90": 120, "digest": 120, "categories": 140, "sources": 140}


def register(commands: "Commands") -> None:
    """Add the parser of `audit`."""
    parser = commands.add_parser(
        "audit",
        parents=[make_overrides_parser(), make_json_parser()],
        help="what a sweep would train on, as a table and a page",
    )
    parser.set_defaults(run=_audit)


def _audit(given: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.corpus.audit import audit
    from ablation.planning.validate import prepare_cells
    from ablation.report.audit_page import write_audit_page
    from ablation.store.files import check_writable
    from ablation.store.store import Store

    grid = compose_sweep(given.overrides)
    outputs, study = Path(grid.execution.outputs), grid.execution.study
    check_writable(outputs)
    store = Store(outputs / "store")
    cells = prepare_cells(grid.cells, store, lambda text: None if given.json else print(text), grid.execution.cluster)
    trained = [cell for cell in cells if not cell.is_base]
    found = audit(study, _made(trained, store), len(cells) - len(trained))
    page = write_audit_page(found, outputs / study / "audit")
    if given.json:
        print(json.dumps(found.as_json()))
    else:
        out = console()
        if not out.is_terminal:
            out.width = _FILE_WIDTH
        out.print(_table(found, out.width))
        print(f"page: {page}")
    return 0


def _made(cells: "list[Cell]", store: "Store") -> "list[SelectedCells]":
    """The selections of the cells, each made or found once."""
    from ablation.data.corpus.audit import SelectedCells
    from ablation.jobs.run.pipeline import run_cell
    from ablation.specs.cell import addresses

    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(addresses(cell)["select"].digest, []).append(cell)
    return [SelectedCells(tuple(members), run_cell(members[0], store, last="select")) for members in groups.values()]


def _table(found: "Audit", width: int) -> "Table":
    from rich.table import Table

    from ablation.report.display_text import quantity, short

    rows = []
    for row, one in enumerate(found.selections):
        others = [count for column, count in enumerate(found.shared[row]) if column != row]
        rows.append(
            {
                "training set": short(one.name, 48),
                "N": quantity(one.count),
                "problems": quantity(one.problems),
                "p10": quantity(one.tokens["p10"]),
                "median": quantity(one.tokens["p50"]),
                "p90": quantity(one.tokens["p90"]),
                "tokens": quantity(one.total_tokens),
                "categories": str(len(one.categories)),
                "sources": str(len(one.sources)),
                "most shared": f"{100 * max(others) / max(1, one.count):.0f} %" if others else "–",
                "hits": str(len(one.hits)),
                "digest": one.digest[:12],
            }
        )
    left = [name for name in rows[0] if width >= _FROM_WIDTH.get(name, 0)] if rows else []
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in left:
        justify: Literal["left", "right"] = "left" if name in ("training set", "digest") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "training set", overflow="fold")
    for told in rows:
        table.add_row(*(told[name] for name in left))
    return table
