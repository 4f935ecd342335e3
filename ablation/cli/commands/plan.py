"""`ablation plan`: what a sweep would do, before anything is spent."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.cli.commands.arguments import make_json_parser, make_overrides_parser
from ablation.errors import ConfigProblems
from ablation.terminal import console

if TYPE_CHECKING:
    from ablation.cli.commands.arguments import Commands
    from ablation.config.execution import Execution
    from ablation.specs.cell import Cell


def register(commands: "Commands") -> None:
    """Add the parser of `plan`."""
    plan = commands.add_parser(
        "plan", parents=[make_overrides_parser(), make_json_parser()], help="what a sweep would do; nothing is started"
    )
    plan.add_argument("--scripts", action="store_true", help="print the sbatch files that would be submitted")
    plan.set_defaults(run=_plan)


def _plan(given: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.source import pinned_cells
    from ablation.planning.outlook import build_outlook
    from ablation.planning.view import render_outlook

    grid = compose_sweep(given.overrides)
    cells = list({cell.key: cell for cell in pinned_cells(grid.cells, strict=False)}.values())
    if given.scripts:
        return _scripts(cells, grid.execution, given.json)
    found = build_outlook(cells, grid.execution, grid.left_out, grid.remarks)
    if given.json:
        print(json.dumps(found.as_json()))
    else:
        console().print(render_outlook(found))
    return 2 if found.unfilled else 0


def _scripts(cells: "list[Cell]", execution: "Execution", as_json: bool) -> int:
    """The files that the launch command would write and submit now; names stand where ids that Slurm has yet to give will."""
    from ablation.config.cluster import Slurm
    from ablation.jobs.submit.submission_plan import preview_scripts
    from ablation.planning.work import read_progress
    from ablation.store.store import Store

    cluster, outputs = execution.cluster, Path(execution.outputs)
    if not isinstance(cluster, Slurm):
        raise ConfigProblems(["--scripts: cluster=local writes none; plan with cluster=slurm or your site's file"])
    store, study = Store(outputs / "store"), outputs / execution.study
    files = preview_scripts(read_progress(cells, store).missing, cluster, study, store)
    if as_json:
        print(json.dumps(files))
        return 0
    print("".join(f"# {study / 'jobs' / name}.sbatch\n{text}" for name, text in files.items()), end="")
    if not files:
        print("nothing to submit: every cell is done, in the queue, or waits for room there")
    return 0
