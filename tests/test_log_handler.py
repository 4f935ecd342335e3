"""A person reads the lines of a cell in one place: standard output, in the order in which things happened."""

import logging
from pathlib import Path

import pytest

from ablation.log_handler import logging_to_stdout
from ablation.store.interrupt import Backoff, StopRequest

LOG = logging.getLogger("ablation.anything")


def test_a_line_is_the_bare_message_between_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stdout(), logging_to_stdout():
        print("before")
        LOG.info("%d %% of %s", 3, "it")
        print("after")
        LOG.error("on the other stream")
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("before\n3 % of it\nafter\n", "on the other stream\n")


def test_the_stream_is_that_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with logging_to_stdout(), (tmp_path / "log").open("w") as file, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", file)
        LOG.info("a line")
        assert (tmp_path / "log").read_text() == "a line\n"  # it is flushed


def test_other_loggers_stay_as_they_were(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with logging_to_stdout():
        logging.getLogger("another_library").warning("noise")
        LOG.warning("ours")
    assert capsys.readouterr().out == "ours\n"
    assert [record.message for record in caplog.records] == ["noise"]  # ours does not reach handlers of the root


def test_without_a_program_a_warning_is_caught(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with logging_to_stdout():
        pass
    Backoff(StopRequest(), 0.0).wait("waiting for somebody")
    assert caplog.messages == ["waiting for somebody"]
    assert capsys.readouterr().out == ""


def test_an_error_of_writing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _text: str) -> int:
            raise OSError("No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    with logging_to_stdout(), pytest.raises(OSError, match="No space left"):
        LOG.info("a line")
