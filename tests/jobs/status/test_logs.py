"""The logs of a cell come in order, and a log is followed until its cell has ended."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.cli.__main__ import main
from ablation.cli.commands.logs import IsPending
from ablation.jobs.slurm.history import Event, record
from ablation.jobs.status.local_run import announce_local_run
from ablation.jobs.status.logs import log_files, read_logs
from ablation.jobs.status.states import cell_states
from ablation.specs.cell import Cell
from ablation.store.lease import LeaseWatcher
from ablation.study.manifest import note_failure
from ablation.study.plan import Plan
from tests.conftest import LISTENING
from tests.studies import finish, planned


@pytest.fixture
def study(tmp_path: Path) -> Plan:
    return planned(tmp_path / "outputs", "sweep=smoke")


def ran(plan: Plan, cell: str, job: str, text: str) -> None:
    jobs = plan.folder / "jobs"
    jobs.mkdir(exist_ok=True)
    record(jobs, cell, Event("began", job, 0, "cell", "n1"))
    (plan.folder / "logs" / f"{job}_0_log.out").write_text(text)


def logs(plan: Plan, *arguments: str) -> int:
    return main(["logs", "smoke", *arguments, "--outputs", str(plan.folder.parent)])


def test_all_logs_of_a_cell_come_in_their_order(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """The local one, then a task for each time it ran, the later with the higher number or not."""
    cell = study.cells[0].name
    (study.folder / "logs" / f"{cell}.log").write_text("here\n")
    ran(study, cell, "90_3", "first try\n")
    ran(study, cell, "12_0", "second \x1b[2Jtry\rwith a bar")
    ran(study, study.cells[1].name, "12_1", "another cell\n")
    assert [path.name for path in log_files(study.folder, cell)] == [f"{cell}.log", "90_3_0_log.out", "12_0_0_log.out"]
    assert logs(study, cell) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if not line.startswith("==")] == [
        "here",
        "first try",
        "second try",
        "with a bar",
    ]
    assert out.count("== ") == 3


def test_a_cell_is_named_by_how_it_begins(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    names = [cell.name for cell in study.cells]
    assert logs(study, names[0]) == 0
    assert f"{names[0]} has no log yet" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        logs(study, "algebr-")
    assert refused.value.code == 2
    assert f"choose one of: {', '.join(names)}" in capsys.readouterr().err


def test_a_log_is_followed_until_its_cell_has_ended(study: Plan) -> None:
    """Half a line waits for its rest; what comes with the end is still told."""
    cell = study.cells[0].name
    ran(study, cell, "7_0", "one\nhal")
    path = study.folder / "logs" / "7_0_0_log.out"
    goes_on = [True, True, False]
    heard: list[str] = []
    first = threading.Event()

    def listen() -> None:
        for where, text in read_logs(study.folder, cell, lambda: goes_on.pop(0)):
            assert where == path
            heard.append(text)
            first.set()

    listening = threading.Thread(target=listen)
    listening.start()
    assert first.wait(10)
    assert heard == ["one\n"]
    with path.open("a") as stream:
        stream.write("f\nand the end, without a newline")
    listening.join(30)
    assert not listening.is_alive()
    assert "".join(heard) == "one\nhalf\nand the end, without a newline"


def test_following_a_cell_that_is_complete_ends_at_once(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    finish(study, study.cells[:1])
    ran(study, study.cells[0].name, "7_0", "done\n")
    assert logs(study, study.cells[0].name, "-f") == 0
    assert capsys.readouterr().out.endswith("done\n")


def published(plan: Plan, cell: Cell) -> None:
    finish(plan, [cell])


def failed(plan: Plan, cell: Cell) -> None:
    note_failure(plan.folder, cell.name, "ValueError: it broke")


@pytest.mark.parametrize("end", [published, failed])
def test_a_cell_that_runs_here_is_followed_until_it_ends(study: Plan, end: Callable[[Plan, Cell], None]) -> None:
    cell = study.cells[0]
    (study.folder / "logs" / f"{cell.name}.log").write_text("begun\n")
    heard: list[str] = []
    first = threading.Event()

    def listen() -> None:
        for _, text in read_logs(study.folder, cell.name, IsPending(study, cell, ask_s=0.0)):
            heard.append(text)
            first.set()

    listening = threading.Thread(target=listen)
    with announce_local_run(study.folder):
        listening.start()
        assert first.wait(30)
        assert listening.is_alive()
        end(study, cell)
        listening.join(60)
    assert not listening.is_alive()
    assert heard == ["begun\n"]


def test_what_a_launch_here_is_at_is_seen_by_others(study: Plan) -> None:
    one, two = study.cells

    def states() -> list[str]:
        return [found.state for found in cell_states(study.cells, study.store, study.folder)]

    assert states() == ["missing", "missing"]
    with announce_local_run(study.folder):
        assert states() == ["queued", "queued"]
        folder = study.store.root / one.folders["train"]
        lease = LeaseWatcher(folder.with_name(f".work-{folder.name}")).take()
        assert lease
        assert states() == ["running", "queued"]
        lease.release()
        failed(study, two)
        finish(study, [one])
        assert states() == ["done", "failed"]
    assert states() == ["done", "failed"], "also when the launch died before it could write the manifest"


def test_ctrl_c_ends_the_following_alone(study: Plan) -> None:
    cell = study.cells[0].name
    (study.folder / "logs" / f"{cell}.log").write_text("begun\n")
    command = [*LISTENING, sys.executable, "-m", "ablation.cli", "logs", "smoke", cell, "-f", "--json"]
    with announce_local_run(study.folder):
        follower = subprocess.Popen(
            [*command, "--outputs", str(study.folder.parent)], stdout=subprocess.PIPE, text=True
        )
        assert follower.stdout
        assert json.loads(follower.stdout.readline())["text"] == "begun\n"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(60) == 130
        follower.stdout.close()
