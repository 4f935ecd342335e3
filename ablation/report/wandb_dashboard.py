"""A saved workspace and a report in W&B's own pages, through `wandb-workspaces` where it is installed and W&B is online."""

import importlib.util
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.analysis.findings.analyse import Analysis
from ablation.report.display_text import clean
from ablation.specs.vocabulary import FACTORS
from ablation.store.files import write_text_atomically

if TYPE_CHECKING:
    import wandb

ABSENT = "W&B: no saved workspace and no report were made: `pip install 'ablation[workspaces]'` adds what makes them"


def save_dashboard(run: "wandb.Run", analysis: Analysis, note: Path) -> list[str]:
    """Save workspace and report in the run's project and return a line with the address of each.

    Without `wandb-workspaces` nothing is saved, and the one line says so. The file `note` remembers what was saved. The workspace
    is saved once: its panels are live, and changes that people make in it are theirs. The report is saved again at the same
    address each time, since its sentences are about the results of the moment.
    """
    if importlib.util.find_spec("wandb_workspaces") is None:
        return [ABSENT]
    project = f"{run.entity}/{run.project}"
    saved: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if saved.get("place") != project:  # another project has neither yet
        saved = {"place": project}
    if "workspace" not in saved:
        saved["workspace"] = str(workspace(run.entity, run.project, analysis).save().url)
        write_text_atomically(note, json.dumps(saved))
    page = report(run.entity, run.project, analysis)
    page.id = saved.get("report_id", "")
    page.save()
    saved |= {"report_id": str(page.id), "report": str(page.url)}
    write_text_atomically(note, json.dumps(saved))
    return [f"W&B workspace: {saved['workspace']}", f"W&B report: {saved['report']}"]


def workspace(entity: str, project: str, analysis: Analysis) -> Any:
    """Return a workspace over the cells' runs: scores, loss curves, the study's figures. Nothing is sent before `save`."""
    wr, ws = _library()
    name = analysis.study.name
    sections = [
        ws.Section(name="Scores", panels=_score_panels(analysis), is_open=True),
        ws.Section(name="Training", panels=[wr.LinePlot(title="loss", x="train/update", y=["train/loss"], log_y=True)]),
        ws.Section(
            name="Study", panels=[wr.MediaBrowser(media_keys=["figure/scaling", "figure/ladder", "figure/effects"])]
        ),
    ]
    # Runs of two evaluators are no group: W&B would average them.
    groups = [ws.Config(name) for name in ("evaluator", "grader", "factors.style")]
    settings = ws.RunsetSettings(filters=f"Metric('group') == {name!r}", groupby=groups)
    return ws.Workspace(
        entity=entity, project=project, name=f"study {name}", sections=sections, runset_settings=settings
    )


def report(entity: str, project: str, analysis: Analysis) -> Any:
    """Return a report with the findings in words, then panels over the cells' runs. Nothing is sent before `save`."""
    wr, _ = _library()
    study = analysis.study
    headlines = [clean(finding.text) for finding in analysis.findings if finding.headline]
    blocks = [
        wr.H1("What was found"),
        wr.UnorderedList(items=headlines),
        wr.H1("Published findings"),
        wr.UnorderedList(items=[clean(f"{claim.claim}: {claim.verdict}. {claim.text}") for claim in analysis.claims]),
        wr.H1("Cells"),
        wr.PanelGrid(
            runsets=[wr.Runset(entity, project, name=study.name, filters=f"Metric('group') == {study.name!r}")],
            panels=_score_panels(analysis),
        ),
    ]
    hypothesis = clean(study.manifest.get("hypothesis") or "")
    return wr.Report(project=project, entity=entity, title=f"Study {study.name}", description=hypothesis, blocks=blocks)


def _score_panels(analysis: Analysis) -> list[Any]:
    """Return the panels that workspace and report share: scores by count, tier and factor."""
    wr, _ = _library()
    n, scopes = analysis.study.n_attempts, analysis.scores.all_and_tiers
    score = f"avg@{n}/all"
    columns = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(f"factors.{factor}")) for factor in FACTORS]
    return [
        wr.ScatterPlot(title=f"{score} against N", x=wr.Config("factors.count"), y=wr.SummaryMetric(score), log_x=True),
        wr.BarPlot(title="by tier", metrics=[wr.SummaryMetric(f"avg@{n}/{scope}") for scope in scopes]),
        wr.ScatterPlot(title="cov against avg", x=wr.SummaryMetric(score), y=wr.SummaryMetric(f"cov@{n}/all")),
        wr.ParallelCoordinatesPlot(
            columns=[*columns, wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(score))]
        ),
        wr.ParameterImportancePlot(with_respect_to=score),
    ]


def _library() -> tuple[Any, Any]:
    """Import the modules for reports and for workspaces; they use deprecated names of pydantic, so warnings are off meanwhile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
    return reports, workspaces
