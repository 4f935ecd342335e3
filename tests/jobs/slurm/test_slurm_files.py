"""Files for Slurm, and its answers, survive being written and read back, without a Slurm that runs.

Walks through config, store, jobs.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.config.cluster import RuntimeOptions
from ablation.config.environment import JOBS
from ablation.errors import ConfigProblems, RecordError
from ablation.jobs.run import worker
from ablation.jobs.run.job import Job
from ablation.jobs.run.job_file import Provenance, TaskList, read_job, write_job
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm import held_arrays as held
from ablation.jobs.slurm import history
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission, latest_tasks
from ablation.jobs.status.failures import group_failures
from ablation.jobs.status.states import CellStatus, cell_states
from ablation.jobs.submit.code_copy import copy_code
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState
from ablation.store.interrupt import StopRequest
from ablation.store.store import Store

CellOf = Callable[..., Cell]
ORIGIN = Provenance("abc", {"torch": "1"}, "login")


@pytest.fixture
def job(cell_of: CellOf, store: Store, tmp_path: Path) -> Job:
    cell = cell_of()
    return Job(cell, cell.name, store.root, tmp_path / "log", 1, RuntimeOptions(micro_batch=2))


def test_a_frozen_job_is_the_same_job(job: Job, tmp_path: Path) -> None:
    assert read_job(write_job(job, tmp_path, ORIGIN)) == (job, ORIGIN)


def test_an_edited_frozen_job_is_refused(job: Job, tmp_path: Path) -> None:
    path = write_job(job, tmp_path, ORIGIN)
    told = json.loads(path.read_text())
    told["cell"]["train"]["epochs"] += 1
    path.write_text(json.dumps(told))
    with pytest.raises(RecordError, match="its cell has key"):
        read_job(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}', '{"format": 2}', '{"format": 3, "cell": 3}'])
@pytest.mark.parametrize("read", [read_job, TaskList.read])
def test_a_damaged_or_older_file_is_refused_by_name(tmp_path: Path, read: Callable[[Path], object], text: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(RecordError, match=f"{tmp_path}/job.json.* submit again"):
        read(tmp_path / "job.json")


def test_an_order_is_the_same_order(tmp_path: Path) -> None:
    order = TaskList("one", "train", (("/a b/x.json", "/a b/y.json"), ("/z.json",)), 60, 3, 2)
    order.write(tmp_path / "order.json")
    assert TaskList.read(tmp_path / "order.json") == order


def one_cell_each(name: str, *cells: str, job: str | None = None) -> Submission:
    return Submission(name, tuple((cell,) for cell in cells), job)


def test_the_ledger_survives_a_cut_at_every_byte(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    one, two, three = one_cell_each("one", "a", "b"), one_cell_each("two", "c"), one_cell_each("three", "d")
    ledger.intend(one)
    ledger.confirm("one", "7")
    ledger.intend(two)
    whole = ledger.path.read_bytes()
    for cut in range(len(whole) + 1):
        ledger.path.write_bytes(whole[:cut])
        found = ledger.submissions()
        assert found in ([], [one], [replace(one, job="7")], [replace(one, job="7"), two])
        ledger.intend(three)
        assert ledger.submissions() == [*found, three]


def test_an_intent_is_adopted_or_withdrawn(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    for name in ("lost reply", "never sent"):
        ledger.intend(one_cell_each(name, name))
    ledger.adopt({"lost reply": "12"}.get)
    assert ledger.submissions() == [one_cell_each("lost reply", "lost reply", job="12")]


def test_the_ledger_knows_what_waits_for_room(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    ledger.postpone(["a", "b"], "MaxJobCount=3 is reached")
    ledger.postpone(["b"], "MaxJobCount=3 is reached")
    assert ledger.waiting() == {"b": "MaxJobCount=3 is reached"}
    assert ledger.submissions() == []


def test_a_ledger_of_one_cell_a_task_is_still_read_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    ledger.path.write_text('{"name": "old", "cells": ["a", "b"]}\n{"name": "old", "job": "3"}\n')
    assert ledger.submissions() == [one_cell_each("old", "a", "b", job="3")]
    ledger.path.write_text('{"format": 99, "name": "new"}\n')
    with pytest.raises(RecordError, match="has format 99"):
        ledger.submissions()


def test_the_last_submission_of_each_part_counts() -> None:
    train = Submission("t", (("a",), ("b", "c")), "1", "train")
    evaluate = Submission("e", train.tasks, "2", "evaluate", after="t")
    assert told([train, evaluate])["c"] == {"train": "1_1", "evaluate": "2_1"}
    again = Submission("f", (("c",),), "3", "evaluate")
    assert told([train, evaluate, again])["c"] == {"evaluate": "3_0"}
    assert told([train, evaluate, replace(train, name="u", job="4")])["b"] == {"train": "4_1"}


def told(submissions: list[Submission]) -> dict[str, dict[str, str]]:
    return {
        cell: {str(stage): one.job for stage, one in parts.items()} for cell, parts in latest_tasks(submissions).items()
    }


@given(st.lists(st.integers(0, 400), max_size=4))
def test_histories_survive_torn_lines(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    jobs = tmp_path_factory.mktemp("jobs")
    path = jobs / "a.history.jsonl"
    event = Event("ended", "7_0", 1, "cell", "node", "error", "line\nbreak", 1.5, ("train",), ("note",))
    whole = 0
    for cut in cuts:
        before = path.stat().st_size if path.exists() else 0
        history.record(jobs, "a", event)
        written = path.read_bytes()
        path.write_bytes(written[: before + cut])
        whole += before + cut >= len(written.rstrip())
    history.record(jobs, "a", event)
    assert history.read(jobs, "a") == [event] * (whole + 1)


def test_the_snapshot_holds_the_code_with_its_data_and_is_made_once(tmp_path: Path) -> None:
    first = copy_code(tmp_path / "code")
    assert (first / "ablation/jobs/run/worker.py").is_file()
    assert (first / "ablation/mini/data/corpus.parquet").is_file()
    assert copy_code(tmp_path / "code") == first
    assert len(list((tmp_path / "code").iterdir())) == 1


def test_a_snapshot_that_was_edited_or_cut_off_is_made_again_and_kept_aside(tmp_path: Path) -> None:
    code = copy_code(tmp_path / "code")
    worker = code / "ablation/jobs/run/worker.py"
    whole = worker.read_bytes()
    for damage in (
        lambda: worker.write_bytes(whole[:100]),
        (code / "ablation/specs/cell.py").unlink,
    ):
        damage()
        assert copy_code(tmp_path / "code") == code
        assert (code / "ablation/jobs/run/worker.py").read_bytes() == whole
    assert len(list((tmp_path / "code").glob("*.damaged-*"))) == 2


def command(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that answer what a healthy Slurm would not; first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def failed_event(task: str, error: str, kind: str = "error") -> Event:
    return Event("ended", task, 0, "cell", "node", kind, error)


def test_states_come_from_records_then_queue_then_accounting(job: Job, fake_slurm: Path, tmp_path: Path) -> None:
    def state() -> tuple[str, str | None]:
        [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
        return found.state, found.detail

    assert state() == ("missing", None)
    ledger = Ledger(tmp_path / LEDGER)
    ledger.intend(one_cell_each("one", job.name))
    ledger.confirm("one", "7")
    command(fake_slurm, "sacct", "exit 1")
    command(fake_slurm, "squeue", "echo '7_0|RUNNING|None|one'")
    assert state() == ("running", None)
    command(fake_slurm, "squeue", "echo '7_0|RUNNING|None|another'")
    assert state()[0] == "lost", "a controller that lost its state has given the number to another job"
    command(fake_slurm, "squeue", "echo '7_0|PENDING|PartitionTimeLimit|one'")
    assert "will never start: PartitionTimeLimit: cluster.timeout_min is above" in str(state()[1])
    command(fake_slurm, "squeue", "echo '7_0|PENDING|ReqNodeNotAvail, UnavailableNodes:n1|one'")
    assert "it starts when they are back" in str(state()[1])
    command(fake_slurm, "squeue", "echo '7_0|PENDING|JobHeldUser|one'")
    assert state()[0] == "held"
    for words in (
        "Unable to contact slurm controller",
        "Zero Bytes were transmitted or received",
        "what nobody foresaw",
    ):
        command(fake_slurm, "squeue", f"echo 'slurm_load_jobs error: {words}' >&2; exit 1")
        assert state()[0] == "unknown", words
    command(fake_slurm, "squeue", "echo garbage")
    assert state()[0] == "unknown", "what is no queue says nothing"
    command(fake_slurm, "squeue", "true")
    assert state()[0] == "lost"
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "7_0_0_log.out"
    log.write_text("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***\n")
    assert state()[0] == "failed"
    log.unlink()
    command(fake_slurm, "sacct", "echo '7_[0-2]|OUT_OF_MEMORY|node1|one'")
    assert state() == ("failed", "Slurm ended the job: OUT_OF_MEMORY")
    (tmp_path / "jobs").mkdir()
    history.record(tmp_path / "jobs", job.name, failed_event("6_0", "of an earlier job"))
    assert state() == ("failed", "Slurm ended the job: OUT_OF_MEMORY")
    history.record(tmp_path / "jobs", job.name, failed_event("7_0", "it broke"))
    assert state() == ("failed", "it broke")


def test_a_job_that_found_no_folder_for_its_log_is_told_so(job: Job, fake_slurm: Path, tmp_path: Path) -> None:
    """Slurm fails such a job before its first line and writes no log of it."""
    ledger = Ledger(tmp_path / LEDGER)
    ledger.intend(one_cell_each("one", job.name))
    ledger.confirm("one", "7")
    command(fake_slurm, "squeue", "true")
    command(fake_slurm, "sacct", "echo '7_0|FAILED|node1|one'")
    [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
    assert (found.state, found.kind) == ("failed", "error"), "trying again would meet the same"
    assert found.detail == "Slurm ended the job: FAILED: there is no log; was its folder there?"


def test_a_process_that_outlives_its_node_does_not_speak_for_the_one_started_again(
    job: Job, fake_slurm: Path, tmp_path: Path
) -> None:
    ledger, jobs = Ledger(tmp_path / LEDGER), tmp_path / "jobs"
    ledger.intend(one_cell_each("one", job.name))
    ledger.confirm("one", "7")
    command(fake_slurm, "squeue", "echo '7_0|RUNNING|None|one'")
    jobs.mkdir()
    again = Event("began", "7_0", 1, "cell", "n2")
    for event in (replace(again, restart=0), again, failed_event("7_0", "broken pipe")):
        history.record(jobs, job.name, event)
    [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
    assert (found.state, found.host) == ("running", None)


def test_the_failed_training_is_shown_and_not_the_evaluation_that_was_cancelled_with_it(
    job: Job, fake_slurm: Path, tmp_path: Path
) -> None:
    ledger, tasks = Ledger(tmp_path / LEDGER), ((job.name,),)
    for one in (Submission("t", tasks, None, "train"), Submission("e", tasks, None, "evaluate", "t")):
        ledger.intend(one)
    ledger.confirm("t", "7")
    ledger.confirm("e", "8")
    command(fake_slurm, "squeue", "echo '8_0|PENDING|Dependency|e'")
    command(fake_slurm, "sacct", "echo '7_0|FAILED|node1|t'; echo '8_0|CANCELLED by 0|None assigned|e'")
    (tmp_path / "jobs").mkdir()
    history.record(tmp_path / "jobs", job.name, failed_event("7_0", "it broke", "nan_loss"))
    [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
    assert (found.state, found.detail, found.kind, found.stage) == ("failed", "it broke", "nan_loss", "train")


def test_cells_behind_a_failed_canary_are_held_and_say_why(cell_of: CellOf, fake_slurm: Path, tmp_path: Path) -> None:
    canary, rest = cell_of("count=n25"), cell_of("count=n100")
    ledger = Ledger(tmp_path / LEDGER)
    for one in (one_cell_each("c", canary.name), replace(one_cell_each("r", rest.name), gate="c")):
        ledger.intend(one)
    ledger.confirm("c", "7")
    ledger.confirm("r", "8")
    (tmp_path / "jobs").mkdir()
    command(fake_slurm, "sacct", "exit 1")
    command(fake_slurm, "squeue", "echo '7_0|RUNNING|None|c'; echo '8_0|PENDING|Dependency|r'")
    assert [one.state for one in cell_states([canary, rest], Store(tmp_path), tmp_path)] == ["running", "queued"]
    history.record(tmp_path / "jobs", canary.name, failed_event("7_0", "no such file\nfurther down"))
    command(fake_slurm, "squeue", "echo '8_0|PENDING|DependencyNeverSatisfied|r'")
    found = cell_states([canary, rest], Store(tmp_path), tmp_path)
    assert [one.state for one in found] == ["failed", "held"]
    assert found[1].detail == f"the canary {canary.name} failed: no such file; correct it, then launch again"
    assert {group.kind for group in group_failures(found)} == {"error", "held"}


def test_slurms_own_words_reach_the_user(fake_slurm: Path, tmp_path: Path) -> None:
    command(fake_slurm, "sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    with pytest.raises(ConfigProblems, match="Slurm refuses: sbatch: error: invalid partition specified: nope"):
        slurm.submit(tmp_path / "x.sbatch")


def test_an_absent_slurm_is_told_from_a_failed_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(slurm.SlurmUnreachable, match="not on this machine"):
        slurm.queue()


def test_a_slurm_that_does_not_answer_in_time_is_away(monkeypatch: pytest.MonkeyPatch, fake_slurm: Path) -> None:
    command(fake_slurm, "squeue", "exec sleep 600")
    monkeypatch.setattr(slurm, "TIMEOUT_S", 0.2)
    with pytest.raises(slurm.SlurmUnreachable, match="squeue did not answer within"):
        slurm.queue()


def test_a_cell_that_failed_for_good_is_not_run_again_when_its_task_is(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, ended = tmp_path / "jobs", Event("ended", "9_0", 0, "cell", "n", "data_error", "row 7 is no row")
    order = TaskList("one", "cell", ((str(write_job(job, jobs, ORIGIN)),),), 60, 20, 3)
    order.write(jobs / "one.tasks.json")
    history.record(jobs, job.name, ended)
    for name, value in {"ARRAY_JOB_ID": "9", "ARRAY_TASK_ID": "0", "RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    with StopRequest().listening_to_signals():
        assert worker.main(["--tasks", str(jobs / "one.tasks.json")]) == worker.FAILED
    assert history.read(jobs, job.name) == [ended]
    assert not job.store_root.exists()


def test_what_was_turned_away_by_a_hold_says_so_when_the_marker_is_gone(
    job: Job, fake_slurm: Path, tmp_path: Path
) -> None:
    jobs = tmp_path / "jobs"
    TaskList("one", "cell", ((str(write_job(job, jobs, ORIGIN)),),), 60, 20, 3).write(jobs / "one.tasks.json")
    ledger = Ledger(tmp_path / LEDGER)
    ledger.intend(one_cell_each("one", job.name))
    ledger.confirm("one", "9")
    held.hold(jobs, "one", "3 cells in a row failed as error")
    command(fake_slurm, "squeue", "true")
    command(fake_slurm, "sacct", "echo '9_0|FAILED|node1|one'")
    environment = {**os.environ, "SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "0"}
    told = subprocess.run(
        [sys.executable, "-m", "ablation.jobs.run.worker", "--tasks", str(jobs / "one.tasks.json")],
        env=environment,
        check=False,
    )
    assert told.returncode == worker.HELD
    held.mark_released(jobs, "one", 0)
    [found] = cell_states([job.cell], Store(job.store_root), tmp_path)
    assert found.state == "held" and "3 cells in a row" in str(found.detail)


def test_keys_do_not_reach_a_job(monkeypatch: pytest.MonkeyPatch, fake_slurm: Path) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "canary")
    monkeypatch.setenv("HF_TOKEN", "canary")
    command(fake_slurm, "squeue", "env | grep -c canary; true")
    assert slurm.clean_environment().keys() <= set(JOBS)
    assert slurm.find_job("x") == "0"


def test_failures_are_grouped_by_what_went_wrong() -> None:
    states = [
        CellStatus("a-1", CellState.FAILED, "ValueError: 3 rows in a-1 at 0x7f", "error"),
        CellStatus("b-2", CellState.FAILED, "ValueError: 17 rows in b-2 at 0x8e", "error"),
        CellStatus("c-3", CellState.FAILED, "Slurm ended the job: TIMEOUT", "timeout"),
        CellStatus("d-4", CellState.DONE),
    ]
    found = group_failures(states)
    assert [(one.cells, one.kind) for one in found] == [(("a-1", "b-2"), "error"), (("c-3",), "timeout")]
    assert "cluster.timeout_min" in found[1].next_step
