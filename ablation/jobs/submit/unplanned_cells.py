"""Jobs in the queue that a new plan of their study would lose from sight."""

from ablation.errors import ConfigProblems
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm.ledger import LEDGER, Ledger, latest_tasks
from ablation.study.plan import Plan


def refuse_unplanned_cells(plan: Plan) -> None:
    """Raise ConfigProblems while Slurm has cells of the study that the plan does not have: nobody could name them any more.

    A cell's name has digits of its key, so one that is asked for with other values is another cell. Raises SlurmUnreachable when
    Slurm does not answer; it is asked only where such cells were submitted.
    """
    planned = {cell.name for cell in plan.cells}
    submitted = latest_tasks(Ledger(plan.folder / LEDGER).submissions())
    others = {name: list(parts.values()) for name, parts in submitted.items() if name not in planned}
    names = {one.job: one.submission.name for parts in others.values() for one in parts}
    queue = slurm.queued_tasks(names) if names else {}
    strays = [name for name, parts in others.items() if any(one.job in queue for one in parts)]
    if strays:
        study = plan.execution.study
        raise ConfigProblems(
            [
                f"study: Slurm has {len(strays)} cells of {study} that this command does not ask for, such as {strays[0]}; "
                f"`ablation cancel {study}` first, or give this command a study=NAME of its own"
            ]
        )
