"""Cleaning removes what nobody needs any more, and nothing that an attempt or another study still uses."""

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from ablation.cli.__main__ import main
from ablation.config.execution import Keep
from ablation.errors import ConfigProblems
from ablation.jobs.clean import leftovers
from ablation.jobs.run.job import jobs_of, run_job
from ablation.jobs.status.states import cell_states
from ablation.planning.retraining import Retraining, count_retraining
from ablation.planning.validate import prepare_cells
from ablation.specs.cell import addresses
from ablation.store.interrupt import StopRequest
from ablation.store.lease import LeaseWatcher
from ablation.store.leftovers import Workbench
from ablation.store.stage_run import open_stage_run
from ablation.store.store import verify
from ablation.study.plan import Plan
from tests.studies import WEIGHTS, finish, planned


@pytest.fixture
def study(tmp_path: Path) -> Plan:
    """Four cells graded, one trained."""
    plan = planned(tmp_path / "outputs", "sweep=cnls", "count.size=8", "category=algebra", "length=short,long")
    finish(plan, plan.cells[:4])
    finish(plan, plan.cells[4:], ("pool", "sift", "select", "train"))
    return plan


def clean(plan: Plan, *arguments: str) -> int:
    return main(["clean", plan.folder.name, "--outputs", str(plan.folder.parent), *arguments])


def whats(plan: Plan, kept: bool = False, weights: bool = False) -> list[str]:
    return [one.what for one in leftovers(plan, cell_states(plan.cells, plan.store, plan.folder), kept, weights)]


def dead_bench(plan: Plan, cell: int = 4, stage: str = "sample") -> Path:
    """The workbench of an attempt whose process is gone."""
    folder = addresses(plan.cells[cell])[stage].folder
    bench = plan.store.root / folder.replace("/", "/.work-", 1)
    lease = LeaseWatcher(bench).take()
    assert lease
    run = open_stage_run(lease, StopRequest())
    (run.out / "half").write_text("written")
    told = json.loads(lease.path.read_text())
    lease.path.write_text(json.dumps({**told, "pid": 2**22 - 1, "started": "1"}))
    return bench


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_and_a_closed_terminal_remove_nothing(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    bench = dead_bench(study)
    before = files_of(study.folder.parent)
    assert clean(study, "--dry-run", "--weights") == 0
    told = capsys.readouterr().out
    assert f"  {bench}  " in told
    assert "weights of graded cells: 3, 2.1 kB" in told
    with pytest.raises(SystemExit) as refused:
        clean(study)
    assert refused.value.code == 2
    assert "--yes" in capsys.readouterr().err
    assert files_of(study.folder.parent) == before


def test_the_bench_of_a_dead_attempt_goes_and_that_of_a_live_one_stays(study: Plan) -> None:
    dead = dead_bench(study)
    alive = study.store.root / "sample" / ".work-alive"
    lease = LeaseWatcher(alive).take()
    assert lease
    assert not Workbench(alive).is_dead
    assert clean(study, "--yes") == 0
    assert not dead.exists()
    assert lease.is_held()


def test_what_an_attempt_kept_goes_only_when_asked(study: Plan) -> None:
    bench = dead_bench(study)
    checkpoint = next(bench.glob("attempt-*")) / "kept" / "checkpoint-5"
    checkpoint.mkdir()
    assert whats(study) == []
    assert whats(study, kept=True) == ["checkpoints of ended attempts"]
    assert clean(study, "--yes") == 0
    assert checkpoint.is_dir()
    assert clean(study, "--yes", "--kept") == 0
    assert not bench.exists()


def test_a_bench_that_somebody_takes_meanwhile_is_left_alone(study: Plan) -> None:
    bench = dead_bench(study)
    [found] = leftovers(study, cell_states(study.cells, study.store, study.folder), False, False)
    lease = LeaseWatcher(bench).take()
    assert lease
    found.remove()
    assert lease.is_held()


def test_another_studys_bench_is_none_of_ours(study: Plan) -> None:
    other = planned(study.folder.parent, "sweep=smoke", "count.size=9")
    dead_bench(other, 0, "train")
    assert whats(study) == []
    assert whats(other) == ["workbenches of ended attempts"]


def test_half_folders_and_old_code_go(study: Plan) -> None:
    for path in ("store/train/.gone-1", "store/pool/.partial-2", "cnls/code/0123456789ab"):
        (study.folder.parent / path).mkdir(parents=True)
        (study.folder.parent / path / "file").write_text("1234")
    assert whats(study) == ["half-written folders", "half-written folders", "copies of the code"]
    assert clean(study, "--yes") == 0
    assert whats(study) == []


def test_dropped_weights_are_said_in_the_seal(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    stage = study.store.path(addresses(study.cells[1])["train"])
    untouched = study.store.path(addresses(study.cells[4])["train"])
    assert clean(study, "--weights", "--yes") == 0
    assert not (stage / "weights").exists()
    assert (untouched / "weights" / "model.safetensors").read_bytes() == WEIGHTS
    assert verify(stage) == []
    assert (stage / "timing.json").is_file()
    (stage / "timing.json").write_text("changed")
    assert len(verify(stage)) == 1
    capsys.readouterr()
    assert clean(study, "--weights", "--yes") == 0
    assert capsys.readouterr().out == "nothing to remove\n"
    assert study.store.find(addresses(study.cells[1])["train"]) == stage


def test_a_crash_while_dropping_is_finished_by_the_next(study: Plan) -> None:
    """The seal says so first, so that half of the weights is never taken for all of them."""
    stage = study.store.path(addresses(study.cells[1])["train"])
    seal = json.loads((stage / "stage.json").read_text())
    (stage / "stage.json").write_text(json.dumps({**seal, "dropped": ["weights/model.safetensors"]}))
    assert verify(stage) == []
    assert "weights of graded cells" in whats(study, weights=True)
    assert clean(study, "--weights", "--yes") == 0
    assert not (stage / "weights").exists()


def test_weights_that_another_study_waits_for_stay(study: Plan) -> None:
    other = planned(
        study.folder.parent,
        "sweep=cnls",
        "count.size=8",
        "category=algebra",
        "length=short",
        "sample.n=64",
        "study=more",
    )
    shared = {addresses(cell)["train"].folder for cell in other.cells if cell.train}
    assert shared
    assert whats(study, weights=True) == ["weights of graded cells"] * (3 - len(shared))
    (other.folder / "plan.json").write_text("{")
    with pytest.raises(SystemExit) as refused:
        clean(study, "--weights", "--dry-run")
    assert refused.value.code == 2


def test_an_evaluation_that_needs_dropped_weights_says_what_to_do(study: Plan) -> None:
    """Before anything is submitted; and once the folder is moved away the cell is simply new."""
    assert clean(study, "--weights", "--yes") == 0
    cell = study.cells[1]
    wider = cell.model_copy(update={"sample": cell.sample.model_copy(update={"n": 64})})
    stage = study.store.path(addresses(cell)["train"])
    with pytest.raises(ConfigProblems, match=r"to train them again, move .* away"):
        prepare_cells([wider], study.store, print, study.execution.cluster)
    shutil.move(stage, stage.with_name("moved"))
    assert not study.store.is_complete(addresses(wider)["train"])


def test_a_study_that_keeps_no_weights_drops_them_as_cells_are_graded(tmp_path: Path) -> None:
    """And where other cells wait for the same weights, the last of them does."""
    plan = planned(tmp_path, "sweep=smoke", "style=r1", "sample.n=2,4", "keep=none")
    one, two = plan.cells
    weights = plan.store.root / one.folders["train"] / "weights"
    finish(plan, [one])
    jobs = jobs_of(plan, plan.cells)
    assert run_job(jobs[0]).error is None
    assert weights.is_dir(), "the second cell has yet to sample"
    assert verify(weights.parent) == []
    finish(plan, [two])
    assert run_job(jobs[1]).error is None
    assert not weights.exists()
    assert verify(weights.parent) == []
    wider = one.model_copy(update={"sample": one.sample.model_copy(update={"n": 64})})
    assert count_retraining([wider], plan.store) == Retraining(1, 1, 2.0)


def test_what_is_kept_changes_no_key(tmp_path: Path) -> None:
    plans = [planned(tmp_path, "sweep=smoke", f"keep={keep}", f"study={keep}s") for keep in get_args(Keep)]
    assert len({tuple(cell.key for cell in plan.cells) for plan in plans}) == 1


def test_a_study_that_keeps_adapters_drops_whole_weights_alone(tmp_path: Path) -> None:
    """As its cells are graded, and when it is cleaned."""
    recipes = ("train=mini_lora", "train.lora.merged=true,false")
    plan = planned(tmp_path, "sweep=smoke", "style=r1", *recipes, "keep=adapter")
    finish(plan, plan.cells)
    stages = {cell.train and cell.train.leaves_adapter: plan.store.root / cell.folders["train"] for cell in plan.cells}
    found = leftovers(plan, cell_states(plan.cells, plan.store, plan.folder), False, True)
    assert [one.path for one in found] == [stages[False] / "weights"]
    assert [run_job(job).error for job in jobs_of(plan, plan.cells)] == [None, None]
    assert [(stages[left] / "weights").is_dir() for left in (False, True)] == [False, True]
    assert [verify(stages[left]) for left in (False, True)] == [[], []]


def test_filters_choose_whose_leftovers_go(study: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    bench = dead_bench(study)
    mine, other = study.cells[1], study.cells[2]
    assert clean(study, f"cell={mine.name}", "--weights", "--yes") == 0
    assert "weights of graded cells: 1" in capsys.readouterr().out
    assert not (study.store.root / mine.folders["train"] / "weights").exists()
    assert (study.store.root / other.folders["train"] / "weights").is_dir()
    assert bench.is_dir()
    assert clean(study, "state=done", "--weights", "--dry-run", "--json") == 0
    assert {one["what"] for one in json.loads(capsys.readouterr().out)} == {"weights of graded cells"}
    assert clean(study, f"cell={study.cells[4].name}", "--yes") == 0
    assert not bench.exists()
    with pytest.raises(SystemExit):
        clean(study, "count=7", "--yes")
