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
    """Save both in the run's project and name their addresses; one line says what is absent where it is.

    `note` keeps what was saved. The workspace is saved once: its panels are live, and what people change in it is theirs.
    The report is saved again in its own place, since its sentences are of the results that there are.
    """
    if importlib.util.find_spec("wandb_workspaces") is None:
        return [ABSENT]
    place = f"{run.entity}/{run.project}"
    kept: dict[str, str] = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if kept.get("place") != place:  # another project has neither yet
        kept = {"place": place}
    if "workspace" not in kept:
        kept["workspace"] = str(workspace(run.entity, run.project, analysis).save().url)
        write_text_atomically(note, json.dumps(kept))
    page = report(run.entity, run.project, analysis)
    page.id = kept.get("report_id", "")
    page.save()
    kept |= {"report_id": str(page.id), "report": str(page.url)}
    write_text_atomically(note, json.dumps(kept))
    return [f"W&B workspace: {kept['workspace']}", f"W&B report: {kept['report']}"]


def workspace(entity: str, project: str, analysis: Analysis) -> Any:
    """The cells of the study: scores by factor, loss curves, and the study's own figures. Nothing is sent before `save`."""
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
    """The findings in words, then panels over the cells' runs."""
    wr, _ = _library()
    study = analysis.study
    found = [clean(finding.text) for finding in analysis.findings if finding.headline]
    blocks = [
        wr.H1("What was found"),
        wr.UnorderedList(items=found),
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
    """Its two modules, which are written in deprecated words of pydantic's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
    return reports, workspaces
