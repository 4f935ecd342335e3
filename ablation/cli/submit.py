"""Submit the missing jobs of a study to Slurm, and follow them to the report where the configuration asks for it."""

from collections.abc import Sequence

from rich.console import Console

from ablation.cli.conclude import EXIT_OK
from ablation.cli.follow import follow_study
from ablation.cli.lines import print_line
from ablation.config.cluster import Slurm
from ablation.jobs.run.job import Job
from ablation.jobs.submit.submitter import SubmitResult, submit_missing
from ablation.planning.cost import confirm_budget
from ablation.planning.fits import models_without_gpu
from ablation.study.manifest import write_study
from ablation.study.plan import Plan, save_plan


def submit_study(plan: Plan, jobs: Sequence[Job], cluster: Slurm, console: Console) -> int:
    """Submit these jobs. Returns the exit code of the study with ``cluster.wait``, else 0.

    Raises ConfigProblems when they may exceed the budget or Slurm refuses them, SlurmUnreachable, and RecordError when another
    process submits for this study.
    """
    cells = [job.cell for job in jobs]
    for line in models_without_gpu(cells, cluster):
        print_line(console, f"warning: {line}", "yellow")
    confirm_budget(cells, cluster, plan.store, plan.folder)
    # A launch that is refused leaves the plan of what is queued as it was.
    handover = submit_missing(jobs, cluster, plan.folder, on_begin=lambda: save_plan(plan))
    _print_handover(plan, handover, console)
    if cluster.wait:
        return follow_study(plan, console)
    write_study(plan, {})
    console.print(
        f"they run without this command: `ablation watch {plan.execution.study}` follows them to the report",
        soft_wrap=True,
    )
    return EXIT_OK


def _print_handover(plan: Plan, handover: SubmitResult, console: Console) -> None:
    ids = ", ".join(str(submission.job) for submission in handover.taken)
    console.print(
        f"{handover.cells} cells submitted{f' as {ids}' if ids else ''}, {handover.queued} in the queue already"
    )
    if handover.waiting:
        print_line(
            console,
            f"{len(handover.waiting)} cells wait for room in the queue ({handover.why}): "
            f"`ablation watch {plan.execution.study}` submits them as it appears, "
            "and so does this command when it is given again",
            "yellow",
        )
