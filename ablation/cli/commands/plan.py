"""`ablation plan OVERRIDES`: print what a sweep would do and cost; with --scripts, the sbatch files that it would submit.

Nothing is started.
"""

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
    plan.set_defaults(run=_print_outlook)


def _print_outlook(options: argparse.Namespace) -> int:
    from ablation.config.sweep.cells import compose_sweep
    from ablation.data.source import pinned_cells
    from ablation.planning.outlook import build_outlook
    from ablation.planning.view import render_outlook

    sweep = compose_sweep(options.overrides)
    cells = list({cell.key: cell for cell in pinned_cells(sweep.cells, strict=False)}.values())
    if options.scripts:
        return _print_scripts(cells, sweep.execution, options.json)
    outlook = build_outlook(cells, sweep.execution, sweep.left_out, sweep.remarks)
    if options.json:
        print(json.dumps(outlook.as_json()))
    else:
        console().print(render_outlook(outlook))
    return 2 if outlook.unfilled else 0


def _print_scripts(cells: "list[Cell]", execution: "Execution", as_json: bool) -> int:
    """Print the files that the launch command would write and submit now.

    Ids of jobs are not known before Slurm gives them; in their places stand names.
    """
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
