"""Every number of a study reaches W&B: read back from the run files, and against a stand-in of the service that may go away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

from ablation.analysis.findings.analyse import analyse
from ablation.analysis.records.load import load
from ablation.config.tracker import Tracker
from ablation.jobs.run.pipeline import run_cell
from ablation.report.page import write_report
from ablation.report.wandb_dashboard import ABSENT, report, save_dashboard, workspace
from ablation.report.wandb_study_run import study_summary, track_study
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from ablation.tracking.cell_run import track
from tests.analysis.studies import BASE, build, factorial, save
from tests.conftest import TINY
from tests.tracking.test_cell_run import read_back
from tests.wandb_service import Service, running

GRID = factorial(count=[25, 50], style=["r1", "gemini"])


def tracker(mode: str) -> Tracker:
    return Tracker.model_validate({"mode": mode, "project": "test", "entity": "team", "finish_timeout_s": 15})


def run_files(root: Path) -> list[Path]:
    return sorted((root / "wandb").glob("*run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)


def turn_to(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send runs there from now on: the client reads where only once in a process."""
    monkeypatch.setenv("WANDB_BASE_URL", service.url)
    wandb.teardown()


def logged(run_file: dict[str, list[dict[str, Any]]]) -> set[str]:
    """What was logged along the run: of a table or picture the run file says ``NAME._type`` and more."""
    return {name.partition(".")[0] for row in run_file["history"] for name in row["item"]}


def test_a_cell_brings_its_lineage_and_its_questions_and_survives_a_service_that_goes_away(
    cell_of: Callable[..., Cell], tiny_benchmark: list[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(*TINY, *tiny_benchmark)
    run_cell(cell, store)
    folders = {stage: address.folder for stage, address in addresses(cell).items()}
    assert track([cell], store, tracker("offline"), "one") == []
    run_file = read_back(run_files(store.root.parent)[-1])
    artifacts = {artifact["type"]: artifact for artifact in run_file["artifact"]}
    assert artifacts["selection"]["name"] == f"selection-{Path(folders['select']).name}"
    assert artifacts["selection"]["use_after_commit"] and not artifacts["verdicts"].get("use_after_commit")
    assert "questions" in logged(run_file)

    (store.root / "tracked" / cell.key).unlink()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with running(Service()) as service:
        turn_to(service, monkeypatch)
        assert track([cell], store, tracker("online"), "two") == []
    made = {artifact["artifactTypeName"] for artifact in service.variables("CreateArtifact")}
    assert {"selection", "verdicts"} <= made and len(service.variables("UseArtifact")) == 1
    assert any(f"avg@{cell.sample.n}/all" in row for row in service.streamed["wandb-summary.json"])

    with running(Service(fails_after=0)) as service:
        turn_to(service, monkeypatch)
        [trouble] = track([cell], store, tracker("online"), "three")
    assert "0" * 40 not in trouble
    assert json.loads((store.root / "tracked" / cell.key).read_text()) == ["two"], "a failure was noted as logged"
    kept = read_back(run_files(store.root.parent)[-1])
    assert kept["run"][0]["run_id"] == cell.key and kept["summary"], "the run file does not hold what was to be sent"


def test_a_study_is_a_run_with_findings_tables_and_figures(tmp_path: Path) -> None:
    folder = save(
        build([BASE, *GRID], lambda cell, q: (q + cell["count"] // 25) % 5, hypothesis="None."), tmp_path / "tiny"
    )
    write_report(folder, for_paper=False)
    ledger = tmp_path / "store" / "tracked"
    ledger.mkdir(parents=True)
    for _ in range(2):
        assert track_study(folder, ledger, tracker("offline"), "offline") == ([], [])
    [file] = run_files(tmp_path)
    run_file = read_back(file)
    run = run_file["run"][0]
    assert (run["run_id"], run["run_group"], run["job_type"]) == ("study-tiny", "tiny", "study")
    written: dict[str, object] = {}
    for part in run_file["summary"]:
        written.update(part["update"])
    assert written.items() >= study_summary(analyse(load(folder))).items()
    assert {"table/effects", "table/cells", "figure/scaling", "figure/ladder"} <= logged(run_file)
    assert [artifact["type"] for artifact in run_file["artifact"] if artifact["type"] == "report"] == ["report"]


def test_workspace_and_report_are_made_of_the_study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = build([BASE, *GRID], lambda cell, q: (q + cell["count"] // 25) % 5)
    analysis = analyse(study)
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda _name: None)
        assert save_dashboard(None, analysis, tmp_path / "note") == [ABSENT]  # type: ignore[arg-type]
    assert [section.name for section in workspace("team", "test", analysis).sections] == ["Scores", "Training", "Study"]
    page = report("team", "test", analysis)
    assert any("Each doubling of the count" in str(block) for block in page.blocks)


def test_workspace_is_saved_once_and_the_report_again_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "store" / "tracked"
    ledger.mkdir(parents=True)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)

    def tracked(service: Service, gain: int) -> tuple[list[str], list[str]]:
        cells = [BASE, *GRID]
        folder = save(
            build(cells, lambda cell, q: (q + gain * cell["count"] // 25) % 5, hypothesis="None."), tmp_path / "tiny"
        )
        turn_to(service, monkeypatch)
        return track_study(folder, ledger, tracker("online"), "online")

    with running(Service(refuses={"UpsertView2"})) as service:
        lines, [trouble] = tracked(service, 1)
    assert lines == [] and "0" * 40 not in trouble
    assert any("claim/" in row for row in service.streamed["wandb-summary.json"]), "the study's run was not finished"

    with running(Service()) as service:
        lines, troubles = tracked(service, 1)
        assert troubles == [] and [line.partition(": ")[0] for line in lines] == ["W&B workspace", "W&B report"]
        assert tracked(service, 1) == ([], []), "the same results were logged again"
        again, troubles = tracked(service, 2)
        assert (again, troubles) == (lines, [])
        note = ledger / "study-tiny.pages.json"
        note.write_text(note.read_text().replace("team/test", "team/another"))
        assert tracked(service, 3)[1] == []
    saved, elsewhere = service.variables("UpsertView2")
    first, second, third = service.variables("upsertView")
    assert not elsewhere.get("id") and not third["id"], "what was saved in another project was taken for this one's"
    assert (saved["entityName"], saved["projectName"], saved["displayName"]) == ("team", "test", "study tiny")
    kept = json.loads(saved["spec"])["section"]
    [[condition]] = [runs["filters"]["filters"] for runs in kept["runSets"]]
    assert (condition["key"]["name"], condition["value"]) == ("group", "tiny")
    shown = {panel["viewType"] for section in kept["panelBankConfig"]["sections"] for panel in section["panels"]}
    assert {"Scatter Plot", "Run History Line Plot", "Media Browser"} <= shown
    assert not first["id"] and second["id"], "a second report was made"
    assert first["description"] == "None." and "Each doubling of the count" in first["spec"]
    assert first["spec"] != second["spec"]
