"""Old, damaged and foreign study folders: each is read, warned of, or refused by name; nobody sees a trace.

Walks through study, jobs, cli.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablation.cli.__main__ import main
from ablation.config.cluster import RuntimeOptions
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, write_job
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.study.plan import load_plan
from tests.conftest import ROOT, TINY

# Where a study keeps what; `*` is the first of several.
VIEWS = ("smoke/plan.json", "smoke/manifest.json", f"smoke/{LEDGER}", "smoke/jobs/*.json")
SEALS = ("store/select/*-*/stage.json", "store/train/*-*/stage.json", "store/grade/*-*/stage.json")
SEALED = ("store/sample/*-*/completions.jsonl", "store/grade/*-*/verdicts.jsonl", "store/train/*-*/loss.jsonl")

Damage = Callable[[Path], object]


def rewritten(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def loop_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Damage] = {
    "empty": rewritten(lambda _: b""),
    "half": rewritten(lambda content: content[: len(content) // 2]),
    "all but three bytes": rewritten(lambda content: content[:-3]),
    "NUL bytes": rewritten(lambda content: b"\0" * len(content)),
    "a list": rewritten(lambda _: b"[]\n"),
    "another program's": rewritten(lambda _: b'{"version": 3, "name": "other"}\n'),
    "a later format": rewritten(lambda _: b'{"format": 999, "cells": []}\n'),
    "not UTF-8": rewritten(lambda content: b"\xff\xfe" + content),
    "a folder": folder_instead,
    "a link to itself": loop_instead,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of two cells, with a ledger and a frozen job as a submission leaves them."""
    outputs = tmp_path_factory.mktemp("whole") / "outputs"
    command = [sys.executable, str(ROOT / "launch.py"), "-m", "sweep=smoke", *TINY, "tracker=none"]
    subprocess.run([*command, f"outputs='{outputs}'"], check=True, capture_output=True, cwd=outputs.parent)
    plan = load_plan(outputs / "smoke")
    Ledger(outputs / "smoke" / LEDGER).intend(Submission("ablation-smoke-1", tuple((one.name,) for one in plan.cells)))
    cell = plan.cells[0]
    write_job(
        Job(cell, cell.name, outputs / "store", outputs / "log", 1, RuntimeOptions()),
        outputs / "smoke/jobs",
        Provenance.here(),
    )
    return outputs


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy to be damaged."""
    shutil.copytree(finished, tmp_path / "outputs")
    yield tmp_path / "outputs"


def damaged(outputs: Path, pattern: str, how: str) -> Path:
    path = sorted(outputs.glob(pattern))[0]
    DAMAGES[how](path)
    return path


def code_of(*arguments: str) -> int:
    """A command's exit code. Any other exception than leaving is a trace that a user would see, and fails the test."""
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("pattern", [*VIEWS, *SEALS, *SEALED])
def test_commands_that_look_never_show_a_trace(
    study: Path, pattern: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(study, pattern, how)
    for command in ("status", "failures", "verify"):
        code = code_of(command, "smoke", "--outputs", str(study))
        told = capsys.readouterr()
        assert code in (0, 1, 2)
        assert "Traceback" not in told.out + told.err
        if code == 2:
            assert path.parent.name in told.err, told.err  # it says which
        if command == "verify" and pattern in (*SEALS, *SEALED):
            assert code, "damage to sealed work went unseen"


@pytest.mark.parametrize("how", ["half", "NUL bytes", "a later format", "a folder"])
@pytest.mark.parametrize("pattern", ["smoke/manifest.json", SEALS[2], SEALED[0], SEALED[2]])
def test_a_report_is_made_or_refused_by_name(
    study: Path, pattern: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(study, pattern, how)
    code = code_of("report", "smoke", "--outputs", str(study))
    told = capsys.readouterr()
    assert code == 2, told.out
    assert path.parent.name in told.err
    assert any(word in told.err for word in ("again", "move", "restore", "verify")), told.err  # and what to do


def launched(outputs: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "launch.py"), "-m", "sweep=smoke", *TINY, "tracker=none"]
    return subprocess.run(
        [*command, f"outputs='{outputs}'"], cwd=outputs.parent, capture_output=True, text=True, check=False
    )


def test_launching_again_mends_a_damaged_plan(study: Path) -> None:
    damaged(study, "smoke/plan.json", "half")
    told = launched(study)
    assert told.returncode == 0, told.stderr
    assert "2 done already" in told.stdout
    assert json.loads((study / "smoke/plan.json").read_text())


def test_launching_into_a_study_of_another_version_is_refused(study: Path) -> None:
    damaged(study, "smoke/manifest.json", "a later format")
    told = launched(study)
    assert told.returncode == 2
    assert "has format 999" in told.stderr
    assert "Traceback" not in told.stderr


def test_launching_over_a_damaged_seal_is_refused_by_name(study: Path) -> None:
    path = damaged(study, SEALS[2], "NUL bytes")
    told = launched(study)
    assert told.returncode == 2
    assert str(path) in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("name", ["with space", "ümläut-数学", "quo'te", "x" * 150, "$(echo no)"])
def test_a_study_that_moved_is_the_same_study(study: Path, tmp_path: Path, name: str) -> None:
    moved = tmp_path / name
    study.rename(moved)
    assert code_of("verify", "smoke", "--outputs", str(moved)) == 0
    assert code_of("status", "smoke", "--outputs", str(moved)) == 0


def test_a_store_behind_a_link_is_the_same_store(study: Path, tmp_path: Path) -> None:
    (study / "store").rename(tmp_path / "elsewhere")
    (study / "store").symlink_to(tmp_path / "elsewhere")
    assert code_of("verify", "smoke", "--outputs", str(study)) == 0


def test_what_may_not_be_read_is_refused_by_name(study: Path, somebody_else: list[str]) -> None:
    plan = study / "smoke/plan.json"
    plan.chmod(0o600 if somebody_else else 0)
    for folder in [study, *study.parents]:
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    python = [*somebody_else, sys.executable, "-m", "ablation.cli"]
    told = subprocess.run(
        [*python, "status", "smoke", "--outputs", str(study)],
        cwd="/", capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert told.returncode == 2, told.stderr
    assert "smoke" in told.stderr
    assert "Traceback" not in told.stderr
