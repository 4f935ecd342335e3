"""Conclude a study: records → tables, report and tracker. Then say how it ended."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ablation.cli.lines import print_line
from ablation.study.manifest import is_shown, mark_shown, write_study
from ablation.study.plan import Plan

EXIT_OK, EXIT_CELLS_FAILED = 0, 1


def conclude_study(plan: Plan, errors: dict[str, str], console: Console) -> int:
    """Write tables, report and tracker runs from the records, unless they show this already. Returns the exit code.

    `errors` holds the errors of failed cells by cell name.
    """
    if not errors and is_shown(plan):
        print_line(
            console,
            f"nothing has changed since the report was written (`ablation report {plan.execution.study}` writes it again)",
        )
        console.print(f"report: {plan.folder / 'report/index.html'}", soft_wrap=True)
        return EXIT_OK
    write_study(plan, errors)
    page = _write_report(plan, console)
    for name, error in errors.items():
        print_line(console, f"failed: {name}: {error} (`ablation logs {plan.execution.study} {name}`)", "red")
    tracker_problems = _track(plan, console)
    console.print(f"report: {page}", soft_wrap=True)
    if errors:
        text = f"{len(errors)} of {len(plan.cells)} cells failed; the same command tries them again"
        console.print(Text(text, style="red"))
    # Unmarked, the next command writes all of it again, and tries the tracker again.
    if not errors and not tracker_problems:
        mark_shown(plan)
    return EXIT_CELLS_FAILED if errors else EXIT_OK


def _write_report(plan: Plan, console: Console) -> Path:
    """Analyse the records, write the page and print the findings. Returns the page."""
    from ablation.analysis import load
    from ablation.analysis.findings.analyse import analyse
    from ablation.report.page import write_analysed_report
    from ablation.report.terminal import render_summary

    analysis = analyse(load(plan.folder), partial=True)
    page = write_analysed_report(analysis, plan.folder)
    console.print(render_summary(analysis))
    return page


def _track(plan: Plan, console: Console) -> Sequence[str]:
    """Send the cells and the study to W&B, as the configuration asks. Returns why W&B did not take them."""
    from ablation.config.tracker import mode_of, notice
    from ablation.report.wandb_study_run import track_study
    from ablation.tracking.cell_run import track

    tracker = plan.execution.tracker
    problems = track(plan.cells, plan.store, tracker, plan.execution.study)
    if not problems and (mode := mode_of(tracker)) != "disabled":
        lines, problems = track_study(plan.folder, plan.store.root / "tracked", tracker, mode)
        for line in lines:
            print_line(console, line, "dim")
    print_line(console, notice(tracker, Path(plan.execution.outputs)), "dim")
    for problem in problems:
        text = f"W&B did not take the runs ({problem}); the records are complete, the next command tries again"
        console.print(Text(text, style="yellow"))
    return problems
