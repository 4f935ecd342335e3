import threading
from pathlib import Path

import pytest

from ablation.cli import main
from ablation.dispatch.history import Event, record
from ablation.dispatch.logs import log_files, told
from ablation.study import Plan
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
        for text in told(study.folder, cell, lambda: goes_on.pop(0)):
            heard.append(text)
            first.set()

    listening = threading.Thread(target=listen)
    listening.start()
    assert first.wait(10)
    assert heard == [f"== {path}\none\n"]
    with path.open("a") as stream:
        stream.write("f\nand the end, without a newline")
    listening.join(30)
    assert not listening.is_alive()
    assert "".join(heard) == f"== {path}\none\nhalf\nand the end, without a newline"


def test_following_a_cell_that_is_complete_ends_at_once(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    finish(study, study.cells[:1])
    ran(study, study.cells[0].name, "7_0", "done\n")
    assert logs(study, study.cells[0].name, "-f") == 0
    assert capsys.readouterr().out.endswith("done\n")
