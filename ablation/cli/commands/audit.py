"""`ablation audit OVERRIDES`: print a table of the training sets that a sweep would use, and write the page behind it."""

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
    parser.set_defaults(run=_audit_training_sets)


def _audit_training_sets(options: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.corpus.audit import audit
    from ablation.planning.validate import prepare_cells
    from ablation.report.audit_page import write_audit_page
    from ablation.store.files import check_writable
    from ablation.store.store import Store

    sweep = compose_sweep(options.overrides)
    outputs, study = Path(sweep.execution.outputs), sweep.execution.study
    check_writable(outputs)
    store = Store(outputs / "store")
    cells = prepare_cells(
        sweep.cells, store, lambda text: None if options.json else print(text), sweep.execution.cluster
    )
    trained = [cell for cell in cells if not cell.is_base]
    training_sets = audit(study, _make_selections(trained, store), len(cells) - len(trained))
    page = write_audit_page(training_sets, outputs / study / "audit")
    if options.json:
        print(json.dumps(training_sets.as_json()))
    else:
        out = console()
        if not out.is_terminal:
            out.width = _FILE_WIDTH
        out.print(_table(training_sets, out.width))
        print(f"page: {page}")
    return 0


def _make_selections(cells: "list[Cell]", store: "Store") -> "list[SelectedCells]":
    """Make the selections of the cells, each once, and return them."""
    from ablation.data.corpus.audit import SelectedCells
    from ablation.jobs.run.pipeline import run_cell
    from ablation.specs.cell import addresses

    cells_by_selection: dict[str, list[Cell]] = {}
    for cell in cells:
        cells_by_selection.setdefault(addresses(cell)["select"].digest, []).append(cell)
    return [
        SelectedCells(tuple(members), run_cell(members[0], store, last="select"))
        for members in cells_by_selection.values()
    ]


def _table(audit: "Audit", width: int) -> "Table":
    from rich.table import Table

    from ablation.report.display_text import quantity, short

    rows = []
    for row, selection in enumerate(audit.selections):
        shared_counts = [count for column, count in enumerate(audit.shared[row]) if column != row]
        rows.append(
            {
                "training set": short(selection.name, 48),
                "N": quantity(selection.count),
                "problems": quantity(selection.problems),
                "p10": quantity(selection.tokens["p10"]),
                "median": quantity(selection.tokens["p50"]),
                "p90": quantity(selection.tokens["p90"]),
                "tokens": quantity(selection.total_tokens),
                "categories": str(len(selection.categories)),
                "sources": str(len(selection.sources)),
                "most shared": f"{100 * max(shared_counts) / max(1, selection.count):.0f} %" if shared_counts else "–",
                "hits": str(len(selection.hits)),
                "digest": selection.digest[:12],
            }
        )
    shown_columns = [name for name in rows[0] if width >= _FROM_WIDTH.get(name, 0)] if rows else []
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in shown_columns:
        justify: Literal["left", "right"] = "left" if name in ("training set", "digest") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "training set", overflow="fold")
    for row_texts in rows:
        table.add_row(*(row_texts[name] for name in shown_columns))
    return table
