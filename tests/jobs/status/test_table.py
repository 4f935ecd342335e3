"""The status counts every cell once and fits a narrow terminal, whatever is damaged or out of reach."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from ablation.cli.__main__ import main
from ablation.jobs.status.counts import by_factor
from ablation.jobs.status.states import cell_states
from ablation.jobs.status.time_left import estimate_time_left
from ablation.jobs.submit.watch import wait_for_cells
from ablation.study.plan import Plan
from tests.conftest import LISTENING
from tests.studies import fail, finish, planned

HOSTILE = "ValueError: \x1b]0;owned\x07the model said \x1b[2J\nand more"


@pytest.fixture
def study(tmp_path: Path) -> Plan:
    """25 cells: 13 done, 1 trained, 1 failed with a hostile message, the others missing."""
    plan = planned(tmp_path / "outputs", "sweep=cnls", "count.size=8,100", "train.epochs=3")
    finish(plan, plan.cells[:13])
    finish(plan, plan.cells[13:14], ("pool", "sift", "select", "train"))
    fail(plan, {plan.cells[14].name: HOSTILE})
    return plan


def status(plan: Plan, *arguments: str) -> int:
    return main(["status", "cnls", "--outputs", str(plan.folder.parent), *arguments])


def test_counts_add_up_in_every_factor(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(study, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"done": 13, "failed": 1, "missing": 11}
    assert set(told["by_factor"]) == {"category", "count", "length", "style"}
    base = 1
    for factor, levels in told["by_factor"].items():
        total = sum(sum(counts.values()) for counts in levels.values())
        assert total == 25 - (0 if factor == "count" else base)
    assert len(told["cells"]) == 25


def test_the_table_is_read_on_a_narrow_terminal(
    study: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert status(study) == 1
    out = capsys.readouterr().out
    assert "cnls: 25 cells: 13 done, 1 failed, 11 missing" in out
    assert f"failed {study.cells[14].name}: ValueError: the model said" in out
    assert "\x1b" not in out
    table = [line for line in out.splitlines() if not line.startswith(("failed", "about", "cnls"))]
    assert max(map(len, table)) <= 80
    assert "counts 8 100;" in out


def test_filters_choose_what_is_counted(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(study, "state=done", "count=100", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["counts"]) == {"done"}
    assert set(told["by_factor"]) <= {"category", "length", "style"}


def test_time_left_follows_from_recorded_seconds(study: Plan) -> None:
    """Each finished stage took 2 s: training goes by examples, sampling by attempts, and shared work counts once."""
    done = [cell for cell in study.cells[:13] if not cell.is_base]
    examples = sum(cell.count.size for cell in done)
    rest = study.cells[13:]
    to_train = sum(cell.count.size for cell in study.cells[14:])
    left = estimate_time_left(rest, study.cells[:13], study.store)
    assert left
    assert left.seconds == pytest.approx(2.0 * len(done) / examples * to_train + 2.0 * len(rest))
    assert left.unmeasured == 0
    assert estimate_time_left(rest, [], study.store) is None


def test_cells_like_none_that_finished_are_not_guessed(study: Plan) -> None:
    left = estimate_time_left(study.cells[13:], [cell for cell in study.cells if cell.is_base], study.store)
    assert left
    assert left.unmeasured == 11  # one has its weights already


def test_a_damaged_timing_is_no_time(study: Plan) -> None:
    for path in study.store.root.glob("*/*/timing.json"):
        path.write_text("{")
    assert estimate_time_left(study.cells[13:], study.cells[:13], study.store) is None


def test_levels_stand_in_their_natural_order(study: Plan) -> None:
    found = by_factor(study.cells, cell_states(study.cells, study.store, study.folder))
    assert list(found["length"]) == ["short", "normal", "long"]
    assert list(found["count"]) == ["0", "8", "100"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ('{"format": 99}', "has format 99, this version reads format 2"),
        ('{"format": 2, "cells": ', "is not a study that can be followed"),
        ("[]", "is not a study that can be followed"),
        ("\x00", "is not a study that can be followed"),
    ],
)
def test_a_damaged_or_foreign_study_is_refused(
    study: Plan, damage: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (study.folder / "plan.json").write_text(damage)
    with pytest.raises(SystemExit) as ended:
        status(study)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_an_unknown_study_or_filter_is_taught(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in ((["cnlz"], "has: cnls; give its name"), (["cnls", "colour=red"], "not KEY=LEVEL")):
        with pytest.raises(SystemExit) as ended:
            main(["status", *arguments, "--outputs", str(study.folder.parent)])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_a_reader_or_terminal_that_leaves_is_no_fault(study: Plan) -> None:
    """`status | head -c 1` says nothing more; a closed standard output neither."""
    command = [sys.executable, "-m", "ablation.cli", "status", "cnls", "--json", "--outputs", str(study.folder.parent)]
    for shell in ("{} | true", "{} >&-"):
        line = shell.format(" ".join(f"'{part}'" for part in command))
        told = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert told.stderr == ""


def submitted(plan: Plan) -> None:
    """The ledger says that Slurm has the cells that are missing."""
    cells = [cell.name for cell in plan.cells[15:]]
    lines = [{"name": "ablation-cnls-1", "cells": cells}, {"name": "ablation-cnls-1", "job": "77"}]
    (plan.folder / "submissions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def watching_without_slurm(study: Plan, empty: Path) -> subprocess.Popen[str]:
    """`ablation watch` in a process of its own, where no Slurm command is found."""
    words = ["-u", "-m", "ablation.cli", "watch", "cnls", "--outputs", str(study.folder.parent)]
    environment = {**os.environ, "PATH": str(empty)}
    return subprocess.Popen(
        [*LISTENING, sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_ctrl_c_ends_the_watching_alone(study: Plan, tmp_path: Path) -> None:
    """Slurm does not answer here, so its cells are unknown and there is something to wait for."""
    submitted(study)
    watching = watching_without_slurm(study, tmp_path)
    assert watching.stdout
    assert watching.stdout.readline().strip() == "13 done, 1 failed, 10 unknown, 1 missing"
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "stopped watching; the jobs go on" in out
    assert "Traceback" not in err


def test_a_cancelled_terminal_leaves_the_study_as_it_was(study: Plan, tmp_path: Path) -> None:
    submitted(study)
    before = {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()}
    watching = watching_without_slurm(study, tmp_path)
    assert watching.stdout
    watching.stdout.readline()
    watching.send_signal(signal.SIGHUP)
    assert watching.communicate(timeout=60)[1] == ""
    assert watching.returncode == -signal.SIGHUP
    assert before == {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()}


def test_an_unreachable_cluster_is_three_and_no_failure(
    study: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    submitted(study)
    fail(study, {})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert status(study) == 3


def test_a_terminal_shows_one_live_table(study: Plan) -> None:
    finish(study, study.cells)
    shown = Console(file=io.StringIO(), force_terminal=True, width=80, highlight=False)
    assert {one.state for one in wait_for_cells(study, shown)} == {"done"}
    assert isinstance(shown.file, io.StringIO)
    assert "counts 8 100;" in shown.file.getvalue()


def test_some_cells_are_watched_to_their_end_and_conclude_nothing(
    study: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the others wait for does not keep this command, and no report is made of a part."""
    done = [f"cell={study.cells[0].name},{study.cells[1].name}"]
    assert main(["watch", "cnls", *done, "--outputs", str(study.folder.parent), "--json"]) == 0
    [told] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told["counts"] == {"done": 2}
    failed = [f"cell={study.cells[14].name}"]
    assert main(["watch", "cnls", *failed, "--outputs", str(study.folder.parent)]) == 1
    assert "1 failed; `ablation watch cnls` follows the whole study" in capsys.readouterr().out
    assert not (study.folder / "report").exists()
    with pytest.raises(SystemExit):
        main(["watch", "cnls", "count=7", "--outputs", str(study.folder.parent)])
    assert "no cell has count 7" in capsys.readouterr().err
