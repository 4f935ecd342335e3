"""The actions on a study's cells on Slurm, by hand and while it is followed: no cell is lost, run twice or taken from others."""

from collections import Counter
from pathlib import Path

import pytest

from ablation.cli.launch import run_study
from ablation.config.cluster import Slurm
from ablation.errors import ConfigProblems
from ablation.jobs.run.job import jobs_of
from ablation.jobs.slurm import history
from ablation.jobs.slurm.history import Event
from ablation.jobs.slurm.ledger import LEDGER, Ledger
from ablation.jobs.status.states import WAITS_FOR_ROOM, CellStatus, cell_states
from ablation.jobs.submit.actions import cancel, continue_study, release, retry
from ablation.jobs.submit.submitter import submit_missing
from ablation.study.plan import Plan
from tests.fake_slurm import FakeSlurm, fake
from tests.studies import planned

__all__ = ["fake"]
WORDS = ("sweep=size", "cluster=slurm", "cluster.canary=false")


def launched(outputs: Path, *words: str) -> Plan:
    """The study of one factor's levels and the base, handed to Slurm."""
    plan = planned(outputs, *WORDS, *words)
    cluster = plan.execution.cluster
    assert isinstance(cluster, Slurm)
    submit_missing(jobs_of(plan, plan.cells), cluster, plan.folder)
    return plan


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs in which a corpus is read once for all studies."""
    return tmp_path_factory.mktemp("outputs")


def states_of(plan: Plan) -> list[CellStatus]:
    return cell_states(plan.cells, plan.store, plan.folder)


def counts(plan: Plan) -> dict[str, int]:
    return dict(Counter(one.state for one in states_of(plan)))


def failure(task: str, kind: str) -> Event:
    return Event("ended", task, 0, "cell", "n1", kind, "it broke")


def test_what_waits_for_room_waits_on_while_another_cell_is_tried_again(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs(2)
    plan = launched(tmp_path)
    waiting = {one.name for one in states_of(plan) if one.kind == WAITS_FOR_ROOM}
    assert len(waiting) == len(plan.cells) - 2
    [array] = Ledger(plan.folder / LEDGER).submissions()
    history.record(plan.folder / "jobs", array.cells[0], failure("1_0", "disk_full"))
    assert retry(plan, states_of(plan)).waiting, "the queue is full"
    assert waiting == {one.name for one in states_of(plan) if one.kind == WAITS_FOR_ROOM}
    fake.keep_jobs()
    assert len(continue_study(plan, states_of(plan))) == 2, "the retry, and all that waited"
    assert not any(one.kind == WAITS_FOR_ROOM for one in states_of(plan))
    assert len(fake.queue) == len(plan.cells)


def test_cancelled_cells_wait_for_room_no_longer(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs(2)
    plan = launched(tmp_path)
    assert Counter(one.kind for one in states_of(plan))[WAITS_FOR_ROOM] == len(plan.cells) - 2
    assert sorted(cancel(plan, states_of(plan))) == sorted(cell.name for cell in plan.cells)
    assert fake.queue == []
    fake.keep_jobs()
    assert continue_study(plan, states_of(plan)) == []
    assert fake.queue == [], "whoever watches does not submit what was cancelled"
    assert not any(one.kind == WAITS_FOR_ROOM for one in states_of(plan))


def test_studies_of_one_name_in_two_folders_are_two_studies(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs()
    one, two = launched(tmp_path / "one"), launched(tmp_path / "two")
    assert len(fake.queue) == len(one.cells) + len(two.cells)
    jobs = [Ledger(plan.folder / LEDGER).submissions()[0] for plan in (one, two)]
    assert jobs[0].name != jobs[1].name and jobs[0].job != jobs[1].job


@pytest.mark.parametrize("reason", ["job requeued in held state", "launch failed requeued held", "JobHeldUser"])
def test_what_slurm_holds_is_released(fake: FakeSlurm, tmp_path: Path, reason: str) -> None:
    fake.keep_jobs()
    plan = launched(tmp_path)
    queue = fake.folder / "queue"
    queue.write_text(queue.read_text().replace("Priority", reason, 1))
    assert counts(plan) == {"held": 1, "queued": len(plan.cells) - 1}
    [name], again = release(plan, states_of(plan))
    assert name in {cell.name for cell in plan.cells} and not again.taken
    assert fake.told == ["release 1_0"]


def test_cells_that_the_kernel_ends_in_a_row_hold_the_rest_and_stay_failures(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs()
    plan = launched(tmp_path, "cluster.retries=0")
    [array] = Ledger(plan.folder / LEDGER).submissions()
    for task, cell in enumerate(array.cells[:3]):
        history.record(plan.folder / "jobs", cell, Event("began", f"1_{task}", 0, "cell", "n1"))
    queue = fake.folder / "queue"
    queue.write_text("".join(line + "\n" for line in queue.read_text().splitlines()[3:]))
    fake.command("sacct", f'for at in 0 1 2; do echo "1_$at|OUT_OF_MEMORY|n1|{array.name}"; done')
    [said] = continue_study(plan, states_of(plan))
    assert "3 cells in a row failed as oom_host" in said
    assert fake.told == ["uhold 1"]
    assert counts(plan) == {"failed": 3, "held": len(plan.cells) - 3}, "a cell that had begun keeps its cause"
    assert continue_study(plan, states_of(plan)) == []
    [*again], _ = release(plan, states_of(plan))
    assert len(again) == len(plan.cells) - 3
    assert continue_study(plan, states_of(plan)) == [], "who lets them go on has seen those failures"
    history.record(plan.folder / "jobs", array.cells[3], failure("1_3", "oom_host"))
    queue.write_text("".join(line + "\n" for line in queue.read_text().splitlines()[1:]))
    assert "in a row failed as oom_host" in str(continue_study(plan, states_of(plan))), "but not this one"


def test_all_arrays_behind_one_canary_are_held_with_the_first(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs()
    fake.command(
        "scontrol", "[ \"$1\" = show ] && printf 'MaxArraySize = 4\\n' || " + f'echo "$@" >>{fake.folder}/told'
    )
    plan = launched(tmp_path, "cluster.retries=0", "cluster.canary=true")
    canary, first, *others = Ledger(plan.folder / LEDGER).submissions()
    assert others and {one.gate for one in (first, *others)} == {canary.name}
    assert canary.job and first.job
    for task in range(3):
        history.record(plan.folder / "jobs", first.cells[task], failure(f"{first.job}_{task}", "error"))
    queue = fake.folder / "queue"
    queue.write_text(
        "".join(line for line in queue.read_text().splitlines(True) if line[:3] not in ("2_0", "2_1", "2_2"))
    )
    assert len(continue_study(plan, states_of(plan))) == len([first, *others])
    assert fake.told == [f"uhold {one.job}" for one in (first, *others)]
    release(plan, [one for one in states_of(plan) if one.job and one.job.startswith(f"{others[0].job}_")])
    assert continue_study(plan, states_of(plan)) == [], (
        "what was let go on alone is not held again by the one that was not"
    )


def test_what_accounting_says_of_another_job_of_that_number_is_not_ours(fake: FakeSlurm, tmp_path: Path) -> None:
    fake.keep_jobs()
    plan = launched(tmp_path)
    (fake.folder / "queue").write_text("")
    fake.command("sacct", "echo '1_0|FAILED|n1|somebody-elses'")
    assert counts(plan) == {"lost": len(plan.cells)}


def test_a_refused_launch_leaves_the_plan_of_what_is_queued(fake: FakeSlurm, shared: Path) -> None:
    fake.keep_jobs()
    plan = launched(shared, "study=refused")
    before = (plan.folder / "plan.json").read_bytes()
    dear = ("cluster.gpus_per_node=8", "cluster.timeout_min=6000", "seed=7", "study=refused")
    for told in (r"Slurm has \d+ cells of refused that this command does not ask for", "more than cluster.budget_gpu"):
        other = planned(shared / "aside", *WORDS, *dear)
        with pytest.raises(ConfigProblems, match=told):
            run_study(other.cells, (), other.execution.model_copy(update={"outputs": str(shared)}))
        assert (plan.folder / "plan.json").read_bytes() == before
        cancel(plan, states_of(plan))
    assert fake.submitted == 1


def test_a_plan_that_slurm_refuses_is_not_the_studys(fake: FakeSlurm, shared: Path) -> None:
    fake.keep_jobs()
    fake.command("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    plan = planned(shared, *WORDS, "study=invalid")
    (plan.folder / "plan.json").write_text("as it was")
    with pytest.raises(ConfigProblems, match="invalid partition"):
        run_study(plan.cells, (), plan.execution)
    assert (plan.folder / "plan.json").read_text() == "as it was"
