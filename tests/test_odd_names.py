"""Names and folders as people give them, handed over to a Slurm that is only commands on the path.

Walks through config, jobs.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.config.cluster import RuntimeOptions, Slurm
from ablation.errors import ConfigProblems, RecordError
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import TaskList, read_job
from ablation.jobs.slurm import history
from ablation.jobs.slurm.history import Event
from ablation.jobs.submit.submitter import submit_missing
from ablation.specs.cell import Cell, addresses
from ablation.store.files import check_writable
from ablation.store.stage_run import StageRun
from ablation.store.store import Store, verify
from tests.conftest import ROOT
from tests.fake_slurm import FakeSlurm, fake

__all__ = ["fake"]
CANARY = "c4n4ry0123456789abcdef0123456789abcdef01"
LONGEST = "x" * 64


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "ümläut-数学",
        "quo'te",
        'dou"ble',
        "x" * 200,
        "$(touch sprung)",
        "`touch sprung`",
        "a;touch sprung",
        "#!x",
        "-n",
        "~",
    ],
)
def test_what_is_submitted_from_any_folder_is_what_was_meant(
    fake: FakeSlurm, cell_of: Callable[..., Cell], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script is read by a real shell, with an `srun` that writes down its arguments; no key is in what is written."""
    for variable in ("WANDB_API_KEY", "HF_TOKEN", "SITE_PASSWORD"):
        monkeypatch.setenv(variable, CANARY)
    study = tmp_path / name / "study"
    study.mkdir(parents=True)
    cell = cell_of("count=n25")
    job = Job(cell, cell.name, tmp_path / name / "store", study / "logs/a.log", 1, RuntimeOptions())
    [submission] = submit_missing([job], Slurm(kind="slurm", canary=False), study).taken
    script = study / "jobs" / f"{submission.name}.sbatch"
    words = tmp_path / "words"
    fake.command("srun", f'printf "%s\\n" "$@" "$PYTHONPATH" >{words}')
    subprocess.run(["bash", str(script)], check=True, cwd=fake.folder, timeout=60)
    *arguments, code = words.read_text().splitlines()
    tasks = str(study / "jobs" / f"{submission.name}.tasks.json")
    assert arguments[-2:] == ["--tasks", tasks]
    assert f"{study}/logs/%A_%a_%t_log.out" in arguments
    assert Path(code).parent == study / "code"
    directives = [shlex.split(line) for line in script.read_text().split("\n") if line.startswith("#SBATCH")]
    assert ["#SBATCH", f"--chdir={code}"] in directives
    assert all(len(directive) == 2 for directive in directives)
    assert read_job(Path(TaskList.read(Path(tasks)).tasks[0][0]))[0].cell == cell
    assert not list(tmp_path.rglob("sprung"))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def test_the_longest_names_fit_and_longer_ones_are_refused(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    seed = "seed={data: 2147483645, train: 2147483646, sample: 2147483647}"
    cell = cell_of(f"category.name={LONGEST}", f"style.name={LONGEST}", "style.paired=[]", "count.size=20000", seed)
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    history.record(jobs, cell.name, Event("began", "7_0", 0, "cell", "node"))
    assert len(history.read(jobs, cell.name)) == 1
    store = Store(tmp_path / "store")
    for address in addresses(cell).values():
        store.make(address, _write)
        assert verify(store.path(address)) == []
    with pytest.raises(ConfigProblems, match=r"category\.name: given 'x+'"):
        cell_of(f"category.name={'x' * 200}")


@pytest.mark.parametrize("umask", ["0777", "0077"])
def test_a_folder_that_an_odd_umask_makes_useless_is_refused_at_once(
    tmp_path: Path, somebody_else: list[str], umask: str
) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    outputs.chmod(0o777)
    for folder in outputs.parents:
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    program = (
        "import sys, pathlib; from ablation.store.files import check_writable; "
        "check_writable(pathlib.Path(sys.argv[1]) / 'a/b')"
    )
    told = subprocess.run(
        ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *somebody_else, sys.executable, "-B", "-c", program, str(outputs)],
        capture_output=True, text=True, check=False, cwd="/", env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    last = told.stderr.strip().splitlines()[-1:]
    assert (told.returncode, last == []) == ((1, False) if umask == "0777" else (0, True)), told.stderr
    if last:
        assert last[0].startswith("ablation.errors.RecordError: cannot write to"), told.stderr


def test_a_file_where_a_parent_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="set outputs=DIR"):
        check_writable(tmp_path / "file/deeper/outputs")


def _write(run: StageRun) -> None:
    (run.out / "x").write_text("x")
