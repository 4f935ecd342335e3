"""The command that users type, as a process of its own, on a study of seconds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ablation.data.benchmark.answers import compare, final_answer
from ablation.specs.versions import GRADER
from tests.conftest import LISTENING, ROOT, TINY

CANARY = "c4n4ry0123456789abcdef0123456789abcdef01"
KEYS = {"WANDB_API_KEY": CANARY, "HF_TOKEN": f"hf_{CANARY}", "SITE_PASSWORD": CANARY}
TWO_CELLS = ("-m", "sweep=smoke", *TINY, "tracker=none", "cluster.workers=1")


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "launch.py"), *arguments, f"outputs='{folder / 'outputs'}'"]


def launch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=180,
        env={**os.environ, **environment},
    )  # fmt: skip


def ablation(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ablation.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def store_state(folder: Path) -> dict[str, tuple[int, int]]:
    files = sorted(path for path in (folder / "outputs/store").rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    """A two-cell sweep, run to its end once for the module."""
    folder = tmp_path_factory.mktemp("a study with späces")
    ended = launch(folder, *TWO_CELLS, **KEYS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    yield folder, ended


def test_a_sweep_ends_in_tables_and_a_report(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, ended = finished
    study = folder / "outputs/smoke"
    results, cells = pd.read_parquet(study / "results.parquet"), pd.read_parquet(study / "cells.parquet")
    assert len(results) == 2 * 40 * 2
    assert not results.duplicated(["cell", "question", "attempt"]).any()
    assert set(results["verdict"]) <= {"correct", "wrong", "no_answer", "truncated", "ungradable"}
    assert set(results["grader"]) == {GRADER} and results["evaluator"].nunique() == 1
    assert results.groupby("cell")["stream_seed"].nunique().eq(40 * 2).all()
    texts = pd.read_parquet(study / "completions.parquet")
    names = ["cell", "question", "attempt"]
    assert texts[names].to_numpy().tolist() == results[names].to_numpy().tolist()
    judged = list(zip(results["verdict"], texts["text"], results["answer"], strict=True))
    assert all(
        (compare(final_answer(text) or "", answer) == "equal")
        for verdict, text, answer in judged
        if verdict == "correct"
    )
    assert list(cells["state"]) == ["done", "done"]
    assert cells["avg_all"].notna().all()
    assert (study / "report/index.html").stat().st_size > 10_000
    assert "report:" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_no_key_of_the_environment_is_in_anything_that_a_sweep_leaves(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, ended = finished
    assert CANARY not in ended.stdout + ended.stderr
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"plan.json", "manifest.json", "index.html", "stage.json"} <= {path.name for path in files}
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_the_second_time_does_no_work(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    before, tables = store_state(folder), (folder / "outputs/smoke/results.parquet").read_bytes()
    again = launch(folder, *TWO_CELLS)
    assert again.returncode == 0
    assert "2 done already, 0 to run" in again.stdout
    assert store_state(folder) == before
    assert (folder / "outputs/smoke/results.parquet").read_bytes() == tables


def test_one_cell_of_the_sweep_is_the_same_cell_alone(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """A single run in this process finds what a worker made: one path, one key."""
    folder, _ = finished
    alone = launch(folder, "count=n25", "style=r1", "length=normal", *TINY, "tracker=none")
    assert alone.returncode == 0, alone.stderr
    assert "1 done already, 0 to run" in alone.stdout


def test_a_finished_sweep_is_left_as_it_is_until_a_file_of_it_is_gone(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    study = folder / "outputs/smoke"
    views = [study / "results.parquet", study / "report/index.html", study / "manifest.json"]
    before = [path.stat().st_mtime_ns for path in views]
    assert "nothing has changed" in launch(folder, *TWO_CELLS).stdout
    assert [path.stat().st_mtime_ns for path in views] == before
    (study / "loss.parquet").unlink()
    assert "nothing has changed" not in launch(folder, *TWO_CELLS).stdout
    assert all(path.stat().st_mtime_ns > then for path, then in zip(views, before, strict=True))


@pytest.mark.slow
def test_a_finished_sweep_is_shown_again_when_its_words_change(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    arguments = (*TWO_CELLS, "study=again")
    told = [launch(finished[0], *arguments, *more).stdout for more in ([], [], ["sweep.hypothesis=another"])]
    assert ["nothing has changed" in text for text in told] == [False, True, False]


BASIC = ("-m", "hydra/sweeper=basic", *TINY, "category=diverse", "style=r1,gemini", "tracker=none", "study=crossed")


def test_hydras_basic_sweeper_asks_for_the_same_cells_as_one_study(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    ended = launch(folder, *BASIC)
    assert ended.returncode == 0, ended.stderr
    assert "study crossed: 2 cells, 2 done already, 0 to run" in ended.stdout
    assert ended.stdout.count("report: ") == 1


def test_a_sweeper_that_knows_no_design_is_refused_a_whole_sweep(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    ended = launch(finished[0], *BASIC, "sweep=cnls")
    assert ended.returncode == 2
    assert "leave hydra/sweeper out" in ended.stderr


def test_without_slurm_the_cells_of_the_basic_sweeper_are_not_run_here(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = finished
    (tmp_path / "git").symlink_to(str(shutil.which("git")))
    trained = list((folder / "outputs/store/train").iterdir())
    ended = launch(folder, *BASIC, "seed=7", "cluster=slurm", PATH=str(tmp_path))
    assert ended.returncode == 3, ended.stderr
    assert "is not on this machine; run this on a login node of the cluster, or choose cluster=local" in ended.stderr
    assert list((folder / "outputs/store/train").iterdir()) == trained


@pytest.mark.slow
def test_hydras_basic_launcher_runs_the_same_cells(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    before = store_state(folder)
    ended = launch(folder, *TWO_CELLS, "hydra/launcher=basic")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rindex("study smoke: 2 cells, 2 done already") > ended.stdout.rindex("study smoke: 1 cells")
    assert store_state(folder) == before


def test_the_report_command_reads_the_records(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    page = folder / "outputs/smoke/report/index.html"
    before = page.read_bytes()
    page.unlink()
    told = ablation(folder, "report", "smoke")
    assert told.returncode == 0, told.stderr
    assert page.read_bytes() == before
    lost = ablation(folder, "report", "none")
    assert lost.returncode == 2
    assert "smoke; give its name" in lost.stderr


def test_a_flipped_byte_is_found(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    assert ablation(folder, "verify", "smoke").stdout == "10 stage folders checked, 0 faults\n"
    weights = next((folder / "outputs/store/train").glob("*/weights/model.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        told = ablation(folder, "verify", "smoke")
        assert told.returncode == 1
        assert f"{weights.name} is not what was written" in told.stdout
    finally:
        weights.write_bytes(whole)


@pytest.mark.parametrize("multirun", [(), ("-m", "sweep=smoke")])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, multirun: tuple[str, ...]) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    ended = launch(tmp_path, *multirun, *TINY, "tracker=none")
    assert ended.returncode == 2
    assert "set outputs=DIR" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_full_disk_is_said_and_finished_work_is_kept(tmp_path: Path) -> None:
    """Room for the pool and one model, then for as much as is needed."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(outputs)]
    if os.geteuid() != 0 or subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        full = launch(tmp_path, *TWO_CELLS)
        assert full.returncode in (1, 2)
        assert "disk full while writing" in full.stdout + full.stderr
        assert "Traceback" not in full.stdout + full.stderr
        before = store_state(tmp_path)
        subprocess.run(["mount", "-o", "remount,size=64m", str(outputs)], check=True)
        assert launch(tmp_path, *TWO_CELLS).returncode == 0
        assert before.items() <= store_state(tmp_path).items()
        assert len(pd.read_parquet(outputs / "smoke/results.parquet")) == 2 * 40 * 2
    finally:
        subprocess.run(["umount", str(outputs)], check=True)


def test_an_older_study_folder_is_refused_and_kept(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = finished
    manifest = folder / "outputs/smoke/manifest.json"
    text = manifest.read_text()
    manifest.write_text(json.dumps({**json.loads(text), "format": 0}))
    try:
        ended = launch(folder, *TWO_CELLS)
        assert ended.returncode == 2
        assert "has format 0, this version reads format 1" in ended.stderr
        assert json.loads(manifest.read_text())["format"] == 0
    finally:
        manifest.write_text(text)


def test_wrong_cells_stop_the_sweep_before_the_first(tmp_path: Path) -> None:
    ended = launch(tmp_path, "-m", "sweep=smoke", "count.size=8,99999", "category.problem_types=[Algebr]", *TINY[1:])
    assert ended.returncode == 2
    assert "given 'Algebr'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "outputs/store/train").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_kind_of_cluster_changes_no_byte(tmp_path: Path) -> None:
    """The whole smoke sweep with the embedded recipe, in this process and in two workers."""
    told = {}
    for kind in ("debug", "local"):
        folder = tmp_path / kind
        folder.mkdir()
        assert launch(folder, "-m", "sweep=smoke", "tracker=none", f"cluster={kind}").returncode == 0
        told[kind] = (folder / "outputs/smoke/results.parquet").read_bytes()
    assert told["debug"] == told["local"]


def start(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """The command in the background, in a process group of its own."""
    return subprocess.Popen(
        [*LISTENING, *command(folder, *arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def test_a_worker_that_is_killed_fails_its_cell_alone(tmp_path: Path) -> None:
    running = start(tmp_path, *TWO_CELLS, **KEYS)
    worker = worker_of(running, tmp_path)
    seen = Path(f"/proc/{worker}/environ").read_bytes()
    os.kill(worker, signal.SIGKILL)
    assert CANARY.encode() not in seen and b"OMP_NUM_THREADS=1" in seen
    told, _ = running.communicate(timeout=180)
    assert running.returncode == 1, told
    assert "the worker process died" in told
    assert sorted(pd.read_parquet(tmp_path / "outputs/smoke/cells.parquet")["state"]) == ["done", "failed"]
    failures = ablation(tmp_path, "failures", "smoke")
    assert failures.returncode == 1
    assert "1 × killed: the worker process died (exit code -#)" in failures.stdout
    assert ablation(tmp_path, "status", "smoke", "style=r1").stdout.startswith("smoke: 1 cells: ")
    again = launch(tmp_path, *TWO_CELLS)
    assert again.returncode == 0, again.stdout
    assert ablation(tmp_path, "failures", "smoke").stdout == "no failures\n"
    assert "1 done already, 1 to run" in again.stdout


def test_ctrl_c_stops_cleanly_and_the_next_run_resumes(tmp_path: Path) -> None:
    """A terminal sends the signal to the whole group, workers included."""
    running = start(tmp_path, *TWO_CELLS)
    worker = worker_of(running, tmp_path)
    os.killpg(running.pid, signal.SIGINT)
    told, _ = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "goes on from here" in told
    assert "Traceback" not in told
    assert not Path(f"/proc/{worker}").exists()
    assert launch(tmp_path, *TWO_CELLS).returncode == 0


def worker_of(running: "subprocess.Popen[str]", folder: Path, patience_s: float = 120) -> int:
    """The process that runs the first cell, once it has begun (its log exists)."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        begun = [item for item in folder.glob("outputs/smoke/logs/*.log") if item.exists()]
        for process in Path("/proc").glob("[0-9]*") if begun else ():
            if _runs_a_cell(process, running.pid):
                return int(process.name)
        time.sleep(0.05)
    raise AssertionError("no worker began within the patience of this test")


def _runs_a_cell(process: Path, parent: int) -> bool:
    try:
        is_child = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
        return is_child and b"spawn_main" in (process / "cmdline").read_bytes()
    except (OSError, ValueError):
        return False
