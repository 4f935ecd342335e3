"""Handing cells over, with a Slurm that is only commands on the path: it answers what a healthy one would not."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ablation.config.cluster import Resources, RuntimeOptions, Slurm
from ablation.errors import ConfigProblems, RecordError
from ablation.jobs.run.job import Job
from ablation.jobs.run.slurm_task import SlurmTask, world_variables
from ablation.jobs.slurm import commands as slurm
from ablation.jobs.slurm import held_arrays as held
from ablation.jobs.slurm import history
from ablation.jobs.slurm.commands import SlurmUnreachable, expand_task_ids
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import LEDGER, Ledger, Submission
from ablation.jobs.slurm.queue_limits import read_queue_limits
from ablation.jobs.status.states import CellStatus
from ablation.jobs.submit.retry import Retry, due_retries
from ablation.jobs.submit.submission_plan import preview_scripts
from ablation.jobs.submit.submitter import only_submitter, submit_missing
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import CellState
from ablation.store.store import Store
from tests.fake_slurm import CONFIG, FakeSlurm, fake

__all__ = ["fake"]
CellOf = Callable[..., Cell]
CLUSTER = Slurm(kind="slurm", canary=False, mem_gb=10, timeout_min=5)


@pytest.fixture
def jobs(cell_of: CellOf, store: Store, tmp_path: Path) -> list[Job]:
    cells = [cell_of(f"count={count}") for count in ("n25", "n50", "n100")]
    return [Job(cell, cell.name, store.root, tmp_path / "log", 1, RuntimeOptions()) for cell in cells]


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "study"
    folder.mkdir()
    yield folder
    assert not (folder / ".submitting").exists(), "the right to submit was given back"


def test_a_lost_reply_is_found_by_the_name_of_the_job(fake: FakeSlurm, jobs: list[Job], study: Path) -> None:
    took = fake.folder / "took"
    fake.command("sbatch", f'[ "$1" = --test-only ] && exit 0\ntouch {took}\necho "Socket timed out" >&2\nexit 1')
    fake.command("squeue", f'case "$*" in *--name=*) [ -e {took} ] && echo 31;; esac; true')
    [one] = submit_missing(jobs, CLUSTER, study).taken
    assert one.job == "31"


def test_a_reply_that_is_no_id_leaves_an_intent_that_the_next_launch_settles(
    fake: FakeSlurm, jobs: list[Job], study: Path
) -> None:
    fake.command("sbatch", '[ "$1" = --test-only ] && exit 0\necho "Welcome to the cluster"')
    with pytest.raises(SlurmUnreachable, match="Welcome to the cluster"):
        submit_missing(jobs, CLUSTER, study)
    ledger = Ledger(study / LEDGER)
    [intent] = ledger.submissions()
    assert intent.job is None
    lines = "".join(f"12_{index}|PENDING|x|{intent.name}\\n" for index in range(3))
    fake.command("squeue", f'case "$*" in *--name=*) echo 12;; *) printf "{lines}";; esac')
    again = submit_missing(jobs, CLUSTER, study)
    assert (again.taken, again.queued) == ((), 3)
    assert [one.job for one in ledger.submissions()] == ["12"]


def test_no_room_is_waiting_and_not_an_error(fake: FakeSlurm, jobs: list[Job], study: Path) -> None:
    fake.command("sbatch", '[ "$1" = --test-only ] && exit 0\necho "QOSMaxSubmitJobPerUserLimit" >&2\nexit 1')
    done = submit_missing(jobs, CLUSTER, study)
    assert (done.taken, len(done.waiting)) == ((), 3)
    assert "QOSMaxSubmitJobPerUserLimit" in done.why
    assert set(Ledger(study / LEDGER).waiting()) == {job.name for job in jobs}
    assert Ledger(study / LEDGER).submissions() == []


def test_a_full_controller_that_makes_sbatch_wait_is_no_room(
    fake: FakeSlurm, jobs: list[Job], study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying"
    fake.command("sbatch", f'[ "$1" = --test-only ] && exit 0\necho "{words}" >&2\nexec sleep 600')
    monkeypatch.setattr(slurm, "TIMEOUT_S", 3)
    done = submit_missing(jobs, CLUSTER, study)
    assert (done.taken, len(done.waiting)) == ((), 3) and "unable to accept job" in done.why
    assert Ledger(study / LEDGER).submissions() == []


def test_limits_are_the_smallest_that_any_part_of_slurm_tells(fake: FakeSlurm) -> None:
    assert read_queue_limits(CLUSTER).array == 1001
    fake.command(
        "scontrol",
        "printf 'MaxArraySize = 5\\nMaxJobCount = 900\\nAccountingStorageType = accounting_storage/slurmdbd\\n'",
    )
    assert (read_queue_limits(CLUSTER).array, read_queue_limits(CLUSTER).room(890)) == (5, 10)
    fake.command("sacctmgr", '[ "$4" = qos ] && echo "7|" || echo "|40"')
    assert (read_queue_limits(CLUSTER).queued, read_queue_limits(CLUSTER).named) == (7, "MaxSubmitJobs of the QOS=7")
    fake.command("scontrol", "printf 'MaxArraySize = 900\\nSchedulerParameters = defer,max_array_tasks=3\\n'")
    assert read_queue_limits(CLUSTER).array == 3
    fake.command("scontrol", "printf 'MaxArraySize = 0\\n'")
    with pytest.raises(ConfigProblems, match="takes no job arrays"):
        read_queue_limits(CLUSTER)


def test_launching_again_replaces_what_waits_in_vain(fake: FakeSlurm, jobs: list[Job], study: Path) -> None:
    ledger, canary, rest = Ledger(study / LEDGER), jobs[0], jobs[1:]
    ledger.intend(Submission("c", ((canary.name,),)))
    ledger.confirm("c", "5")
    ledger.intend(Submission("r", tuple((job.name,) for job in rest), gate="c"))
    ledger.confirm("r", "6")
    (study / "jobs").mkdir()
    history.record(study / "jobs", canary.name, Event("ended", "5_0", 0, "cell", "n", "error", "it broke"))
    fake.command(
        "squeue",
        'case "$*" in *--name=*) ;; *) for at in 0 1; do echo "6_$at|PENDING|DependencyNeverSatisfied|r"; done;; esac',
    )
    fake.command("scancel", f'echo "$@" >{fake.folder}/cancelled')
    done = submit_missing(jobs, replace_canary(CLUSTER), study)
    assert (fake.folder / "cancelled").read_text().split() == ["6_0", "6_1"]
    assert [(len(one.tasks), bool(one.gate)) for one in done.taken] == [(1, False), (2, True)]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("canary", [False, True])
@pytest.mark.usefixtures("fake")
def test_a_preview_is_what_the_launch_then_writes(
    jobs: list[Job], study: Path, store: Store, split: bool, canary: bool
) -> None:
    cluster, cells = CLUSTER.model_copy(update={"split": split, "canary": canary}), [job.cell for job in jobs]
    told = preview_scripts(cells, cluster, study, store)
    assert len(told) == (1 + split) * (1 + canary)
    assert not list(study.iterdir()), "looking writes nothing"
    submit_missing(jobs, cluster, study)
    written = {path.stem: path.read_text() for path in (study / "jobs").glob("*.sbatch")}
    assert {name: re.sub("ID-OF-[a-z0-9-]+", "7", text) for name, text in told.items()} == written


def test_a_preview_leaves_out_what_is_in_the_queue_and_names_the_canary_by_its_id(
    fake: FakeSlurm, jobs: list[Job], study: Path, store: Store
) -> None:
    cluster, cells = replace_canary(CLUSTER), [job.cell for job in jobs]
    fake.command("scontrol", "printf 'MaxArraySize = 1001\\nMaxJobCount = 1\\n'")
    [canary] = submit_missing(jobs, cluster, study).taken
    fake.command("squeue", f'case "$*" in *--name=*) ;; *) echo "7_0|RUNNING|None|{canary.name}";; esac')
    assert preview_scripts(cells, cluster, study, store) == {}, "there is no room"
    fake.command("scontrol", f"printf '{CONFIG}'")
    [text] = preview_scripts(cells, cluster, study, store).values()
    assert "--array=0-1%" in text
    assert "--dependency=afterok:7" in text


def replace_canary(cluster: Slurm) -> Slurm:
    return cluster.model_copy(update={"canary": True})


def test_another_submitter_is_named_and_submits_alone(jobs: list[Job], fake: FakeSlurm, study: Path) -> None:
    with only_submitter(study), pytest.raises(RecordError, match=f"process {os.getpid()} on .* is submitting"):
        submit_missing(jobs, CLUSTER, study)
    assert fake.submitted == 0


def test_a_retry_asks_for_what_the_failure_calls_for() -> None:
    asked = Resources(mem_gb=10, exclude="old")
    assert Retry("a", "oom_host", 1).applied_to(asked).mem_gb == 15
    assert Retry("a", "oom_host", 2).applied_to(asked).mem_gb == 23
    assert Retry("a", "node_fail", 1, "n[1-2]").applied_to(asked).exclude == "old,n[1-2]"
    assert Retry("a", "node_fail", 1, "None assigned").applied_to(asked) == asked
    assert Retry("a", "timeout", 1, "n1").applied_to(asked) == asked


def test_only_what_may_pass_is_tried_again_and_only_so_often() -> None:
    states = [
        CellStatus("a", CellState.FAILED, "…", "oom_host"), CellStatus("b", CellState.FAILED, "…", "config_error"),
        CellStatus("c", CellState.LOST, "…", "lost"), CellStatus("d", CellState.FAILED, "…", "cancelled"),
        CellStatus("e", CellState.DONE),
    ]  # fmt: skip
    before = [Submission("x", (("a",), ("c",)), "1", retries={"a": "oom_host", "c": "node_fail"})]
    assert due_retries(states, before, 2) == [Retry("a", "oom_host", 2), Retry("c", "lost", 1)]
    assert [one.cell for one in due_retries(states, [*before, replace(before[0], name="y")], 2)] == ["c"]
    assert [one.cell for one in due_retries(states, before, None, ["config_error"])] == ["b"]


def test_the_memory_of_a_retry_stands_in_its_sbatch_file_and_in_the_ledger(
    fake: FakeSlurm, jobs: list[Job], study: Path
) -> None:
    [one] = submit_missing(jobs[:1], CLUSTER, study, [Retry(jobs[0].name, "oom_host", 1)]).taken
    assert (one.mem_gb, one.retries) == (15, {jobs[0].name: "oom_host"})
    assert "#SBATCH --mem=15GB" in (study / "jobs" / f"{one.name}.sbatch").read_text()
    assert fake.submitted == 1


@pytest.mark.parametrize(
    ("kinds", "after", "is_held"),
    [
        (["error"] * 3, 3, True),
        (["error"] * 2, 3, False),
        (["error", "error", "nan_loss"], 3, False),
        (["error"] * 3 + [None] * 3, 3, False),
        ([None] * 26 + ["disk_full"] * 3, 3, True),
        (["error", None, "error", "error"], 3, False),
        (["error"] * 3 + ["held"], 3, True),
        ([None] * 5, 3, False),
        ([], 3, False),
        (["preempted"] * 5, 3, False),
        (["error"] * 9, 0, False),
    ],
)
def test_an_array_is_held_when_the_last_cells_of_it_to_end_failed_alike(
    tmp_path: Path, kinds: list[str | None], after: int, is_held: bool
) -> None:
    cells = [f"cell{index}" for index in range(len(kinds))]
    for cell, kind in zip(cells, kinds, strict=True):
        history.record(tmp_path, cell, Event("ended", "7_0", 0, "cell", "n", kind, "why\nmore" if kind else None))
        history.record(tmp_path, cell, Event("ended", "6_0", 0, "cell", "n", "error", "of another array"))
    told = held.reason_to_hold(held.recorded_ends(tmp_path, cells, "7"), after)
    assert (told is not None) == is_held
    assert told is None or told.endswith("the last: why")


def test_a_marker_that_cannot_be_read_still_holds(tmp_path: Path) -> None:
    assert held.why_held(tmp_path, "one") is None
    held.hold(tmp_path, "one", "because")
    assert held.why_held(tmp_path, "one") == "because"
    held.marker(tmp_path, "one").write_text("{")
    assert held.why_held(tmp_path, "one") is not None
    held.mark_released(tmp_path, "one", 0)
    assert held.why_held(tmp_path, "one") is None


def test_slurms_variables_become_those_of_a_world() -> None:
    told = {
        "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "12345",
        "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1", "SLURM_NTASKS_PER_NODE": "2",
    }  # fmt: skip
    assert world_variables(told) == {
        "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "20345",
    }  # fmt: skip
    assert world_variables({}) == {} == world_variables({**told, "SLURM_NTASKS": "1"})
    here = SlurmTask.of({**told, "SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "4", "SLURM_RESTART_COUNT": "2"})
    assert (here.job, here.index, here.restart, here.rank) == ("9_4", 4, 2, 3)


def test_tasks_that_slurm_writes_as_one_are_told_apart() -> None:
    assert expand_task_ids("7_3") == ["7_3"]
    assert expand_task_ids("7_[0-2,5%4]") == ["7_0", "7_1", "7_2", "7_5"]
    assert expand_task_ids("7") == ["7"]


def test_the_frozen_job_tells_who_submitted_it(fake: FakeSlurm, jobs: list[Job], study: Path) -> None:
    submit_missing(jobs, CLUSTER, study)
    told = json.loads((study / "jobs" / f"{jobs[0].name}.json").read_text())["origin"]
    assert told["host"] and {"python", "torch"} <= told["versions"].keys() and "git" in told
    assert fake.submitted == 1
