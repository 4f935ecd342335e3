"""Stored folders of studies in earlier formats: each loads, loads without what was lost, or is refused by name.

Walks through study, jobs, cli.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.cli.__main__ import main
from ablation.data.source import local_path
from ablation.errors import RecordError
from ablation.jobs.run.job_file import JOB_FORMAT, TaskList, read_job
from ablation.jobs.slurm import history
from ablation.jobs.slurm.ledger import LEDGER, Ledger
from ablation.study.plan import load_plan
from tests.conftest import ROOT
from tests.fake_slurm import FakeSlurm, fake

__all__ = ["fake"]
CORPUS = ROOT / "tests/data/studies"
FOLDERS = {f"{path.parent.name}/{path.name}": path for path in sorted(CORPUS.glob("*/*"))}
LOADED = [name for name in FOLDERS if not name.startswith("invalid/")]
REFUSED = {
    "invalid/plan-1-ledger-1-jobs-2": (
        "plan.json has format 1, this version reads format 2",
        "run the study's launch command again",
    ),
    "invalid/plan-1-jobs-3": (
        "plan.json has format 1, this version reads format 2",
        "run the study's launch command again",
    ),
    "invalid/ledger-of-a-later-version": ("submissions.jsonl has format 99", "use the version that wrote it"),
    "invalid/manifest-0": ("manifest.json has format 0", "move the folder away"),
    "invalid/foreign": ("old is not a study that can be followed", "run its launch command again"),
    "invalid/cut-off": ("old is not a study that can be followed", "run its launch command again"),
}


@pytest.fixture
def study(tmp_path: Path) -> Callable[[str], Path]:
    def copied(name: str) -> Path:
        folder = Path(shutil.copytree(FOLDERS[name], tmp_path / "outputs/old"))
        if name.startswith("warn/"):  # an accident of today: under the name that its cell has today
            _rename(folder, load_plan(folder).cells[0].name)
        return folder

    return copied


def _rename(folder: Path, cell: str) -> None:
    stored = re.compile(re.escape(cell[:-6]) + "[0-9a-f]{6}")
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.write_bytes(stored.sub(cell, path.read_bytes().decode("latin-1")).encode("latin-1"))
        path.rename(path.with_name(stored.sub(cell, path.name)))


def status(folder: Path) -> int:
    try:
        return main(["status", folder.name, "--outputs", str(folder.parent)])
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("name", LOADED)
def test_what_can_be_read_is_read(study: Callable[[str], Path], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(name)
    [cell] = load_plan(folder).cells
    submissions = Ledger(folder / LEDGER).submissions()
    assert [one.job for one in submissions] == ["7"] * (folder / LEDGER).exists()
    # What an earlier version of a stage made has another address: such a cell is open, and its former job is not its own.
    is_of_now = {one.cells for one in submissions} <= {(cell.name,)}
    assert status(folder) == int(is_of_now), "its cell is lost or failed, or has yet to run"
    told = capsys.readouterr()
    assert "old: 1 cells" in told.out and "Traceback" not in told.err
    if name.startswith("warn/"):
        assert f"failed {cell.name}: ValueError: it broke" in " ".join(told.out.split())


def test_a_plan_finds_shipped_files_that_have_moved_since() -> None:
    [cell] = load_plan(FOLDERS["valid/plan-2-aime24"]).cells
    assert cell.key.startswith("f35c6a"), "the key of then"
    assert cell.corpus
    benchmarks = (cell.benchmark, *(benchmark for benchmark in cell.corpus.filters.benchmarks if benchmark.answers))
    for source in (source for benchmark in benchmarks for source in (benchmark.answers, benchmark.tiers)):
        assert source
        assert str(source.path) in ("package:ablation.benchmark/data/aime24.yaml", "package:ablation/tiers/aime24.yaml")
        path = local_path(source)  # raises where the content is not the one that was pinned
        assert path and path.is_relative_to(ROOT / "ablation/data/benchmark/shipped")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name_with_what_to_do(
    fake: FakeSlurm, study: Callable[[str], Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = study(name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert status(folder) == 2
    told = capsys.readouterr().err
    assert all(words in told for words in REFUSED[name]), told
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert fake.submitted == 0


def test_every_refused_folder_is_looked_at() -> None:
    assert set(REFUSED) == set(FOLDERS) - set(LOADED)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_worker_runs_a_job_of_the_present_format_alone(name: str) -> None:
    for path in sorted(FOLDERS[name].glob("jobs/*-s0-*.json")):
        if path.name.endswith(".ended.json"):
            continue
        written = json.loads(path.read_text())["format"]
        if written == JOB_FORMAT:
            assert read_job(path)[0].cell.name == path.stem
            continue
        told = f"{path.name} has format {written}, this version reads format {JOB_FORMAT}; submit again"
        with pytest.raises(RecordError, match=told):
            read_job(path)
    for path in FOLDERS[name].glob("jobs/*.tasks.json"):
        assert len(TaskList.read(path).tasks) == 1
    for path in FOLDERS[name].glob("jobs/*.history.jsonl"):
        assert len(history.read(path.parent, path.name.removesuffix(".history.jsonl"))) == 1
