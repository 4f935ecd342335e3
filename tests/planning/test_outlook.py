"""The plan counts shared work once, warns of confounds before anything runs, and writes nothing."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from ablation.cli.__main__ import main
from ablation.config.cluster import Slurm
from ablation.config.execution import Keep
from ablation.config.sweep.cells import Sweep, compose_sweep
from ablation.data.source import pinned_cell, pinned_cells
from ablation.errors import ConfigProblems
from ablation.planning.confounds import comparison_warnings, find_confounds
from ablation.planning.cost import confirm_budget
from ablation.planning.disk import disk_needs
from ablation.planning.memory import trained_parameters
from ablation.planning.models import count_parameters, shape_of
from ablation.planning.outlook import Outlook, build_outlook, unpinned_sources
from ablation.planning.power import AT_MOST_CELLS, LATER, power_lines
from ablation.planning.work import read_progress
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from tests.conftest import ROOT, TINY
from tests.studies import finish, planned

CellOf = Callable[..., Cell]


def look(grid: Sweep) -> Outlook:
    return build_outlook([pinned_cell(cell) for cell in grid.cells], grid.execution, grid.left_out, grid.remarks)


def test_shared_work_is_planned_once(tmp_path: Path) -> None:
    cells = [pinned_cell(cell) for cell in compose_sweep(["sweep=cnls", "sample.n=8,16"]).cells]
    found = read_progress(cells, Store(tmp_path))
    assert (found.work.cells, found.work.done, found.work.new) == (98, 0, 98)
    assert found.work.to_do == {
        "sample": 49,
        "sample+8": 49,
        "grade": 98,
        "pool": 1,
        "sift": 1,
        "select": 48,
        "train": 48,
    }
    assert len(found.untrained) == 48
    assert not list(tmp_path.iterdir())


def test_equal_cells_are_planned_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "sweep=smoke", "count.size=25,25", "style=r1", f"outputs={tmp_path}"]) == 0
    told = capsys.readouterr().out
    assert "smoke: 1 cells: 0 done, 0 to resume, 1 new" in told
    assert "1 cell merged with an equal one" in told


def test_cells_are_done_begun_or_new(tmp_path: Path) -> None:
    """A selection is nothing to resume; weights are, and so is what an attempt kept."""
    plan = planned(tmp_path, "sweep=cnls", "count=n25")
    finish(plan, plan.cells[:3])
    finish(plan, plan.cells[3:4], ("pool", "sift", "select", "train"))
    finish(plan, plan.cells[4:6], ("pool", "sift", "select"))
    train = addresses(plan.cells[5])["train"].folder
    kept = plan.store.root / train.replace("train/", "train/.work-") / "attempt-000001-x" / "kept"
    kept.mkdir(parents=True)
    assert read_progress(plan.cells, plan.store).work.resume == 1
    (kept / "checkpoint-7").mkdir()
    work = read_progress(plan.cells, plan.store).work
    assert (work.done, work.resume, work.new) == (3, 2, len(plan.cells) - 5)


def test_what_differs_beside_a_factor_is_named() -> None:
    cells = compose_sweep(["sweep=cnls", "count=n25,n100"]).cells
    found = {(one.factor, one.quantity): one.by_level for one in find_confounds(cells, {})}
    assert set(found) == {("count", "updates"), ("count", "examples")}
    epochs = (cells[1].train.epochs or 0) if cells[1].train else 0
    assert found["count", "examples"] == {"25": 25 * epochs, "100": 100 * epochs}


def test_lengths_are_told_once_the_corpus_is_read(tmp_path: Path) -> None:
    grid = compose_sweep(["sweep=cnls", "count=n25", f"outputs='{tmp_path}'"])
    assert look(grid).unread == ("mini",)
    from ablation.jobs.run.pipeline import run_cell

    run_cell(pinned_cell(grid.cells[-1]), Store(tmp_path / "store"), last="sift")
    found = look(grid)
    assert found.unread == ()
    lengths = next(one for one in found.confounds if (one.factor, one.quantity) == ("length", "mean length"))
    assert lengths.by_level["short"] < lengths.by_level["normal"] < lengths.by_level["long"]


def test_every_cell_that_cannot_be_filled_is_told_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["sweep=smoke", f"outputs={tmp_path}", "category=geometry,algebra", "count.size=100,9000,9100", "style=r1"]
    assert main(["plan", *given]) == 0
    assert "`ablation audit` with the same arguments reads it" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["audit", *given])
    refused = [line for line in capsys.readouterr().err.splitlines() if "count.size: given" in line]
    assert len(refused) == 4
    assert not (tmp_path / "store/select").exists()
    assert main(["plan", *given, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert [f"  - {line}" for line in told["unfilled"]] == refused
    assert told["unread"] == []
    assert main(["plan", *given]) == 2
    assert "would be refused: count.size: given 9000 for geometry-n9000" in capsys.readouterr().out


def test_problems_that_leave_nothing_to_train_are_told_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["sweep=smoke", f"outputs={tmp_path}", "train.block_tokens=24"]
    with pytest.raises(SystemExit, match="2"):
        main(["audit", *given])
    said = capsys.readouterr().err
    assert re.search(r"train.block_tokens: given 24; the problem alone fills it in \d+ of the \d+ trajectories", said)
    assert "train.drop_untrainable=true" in said
    assert main(["audit", *given, "train.drop_untrainable=true"]) == 0


def test_levels_that_differ_in_more_are_warned_of(cell_of: CellOf) -> None:
    zipped = [cell_of("category=algebra", "count=n25"), cell_of("category=geometry", "count=n50")]
    assert comparison_warnings(zipped) == [
        f"{factor}: no two cells differ in it alone, so its effect cannot be told from the others'"
        for factor in ("category", "count")
    ]
    recipes = [cell_of("count=n25"), cell_of("count=n50", "train.epochs=9")]
    assert comparison_warnings(recipes) == ["count: its levels differ in train too (in values of the same name)"]
    assert {one.quantity for one in find_confounds(recipes, {})} == {"updates", "examples", "epochs"}
    twins = [cell_of("count=n25"), cell_of("count=n25", "sample.n=2")]
    assert comparison_warnings(twins)[0].startswith("2 cells share all factors and seeds")


def test_disk_is_counted_from_weights_or_from_what_is_said(cell_of: CellOf, tmp_path: Path) -> None:
    mini = cell_of("train=mini")
    assert count_parameters(mini.model) == 433_408
    found = disk_needs([mini, mini], 1, tmp_path / "not" / "yet")
    assert (found.weights, found.checkpoints) == (2 * 4 * 433_408, 2 * 12 * 433_408)
    adapter, merged = (cell_of("train=mini_lora", f"train.lora.merged={merged}") for merged in ("false", "true"))
    lora = adapter.train and adapter.train.lora
    shape = shape_of(mini.model)
    assert lora and shape
    trained = trained_parameters(shape, lora)
    keeping = {keep: disk_needs([adapter, adapter, merged, merged], 1, tmp_path, keep) for keep in get_args(Keep)}
    assert {told.weights for told in keeping.values()} == {2 * 4 * trained + 2 * 4 * 433_408}
    assert {told.checkpoints for told in keeping.values()} == {2 * 12 * trained}
    at_once = {keep: told.weights_at_once for keep, told in keeping.items()}
    assert at_once == {"weights": 4 * 433_408, "adapter": 2 * 4 * trained + 4 * 433_408, "none": 4 * 433_408}
    large = compose_sweep(["sweep=single", "scale=paper"]).cells[0].model
    assert count_parameters(large) == 32_763_876_352
    assert count_parameters(large.model_copy(update={"parameters": None})) is None


def test_the_size_of_a_model_is_no_part_of_a_key(cell_of: CellOf) -> None:
    assert cell_of("model.parameters=5").key == cell_of().key


def test_the_command_tells_all_and_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = ["plan", "sweep=cnls", "cluster=slurm", "cluster.gpus_per_node=2", f"outputs={tmp_path}/outputs"]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["work"]["new"] == 49
    assert told["at_most"] == {"gpu_hours": 98.0, "cpu_hours": 49.0}
    assert told["asks"][0]["tasks"] == 49
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "49 cells: 0 done, 0 to resume, 49 new" in out
    assert "at most 98 GPU-hours and 49 CPU-hours" in out
    assert not list(tmp_path.iterdir())


def test_a_wrong_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["plan", "sweep=smoke", "count=n24"])
    assert refused.value.code == 2
    assert "did you mean" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        main(["plan", "sweep=smoke", "--scripts"])
    assert refused.value.code == 2
    assert "cluster=slurm" in capsys.readouterr().err


def test_more_than_the_budget_needs_a_yes(cell_of: CellOf, store: Store, tmp_path: Path) -> None:
    cells = [cell_of("count=n25"), cell_of("count=n50")]
    cluster = Slurm(kind="slurm", gpus_per_node=8, timeout_min=600)
    with pytest.raises(ConfigProblems, match=r"up to 160 GPU-hours.*type cluster.budget_gpu_hours=160"):
        confirm_budget(cells, cluster, store, tmp_path)
    confirm_budget(cells, cluster.model_copy(update={"budget_gpu_hours": 160.0}), store, tmp_path)
    confirm_budget(cells, cluster.model_copy(update={"gpus_per_node": 0}), store, tmp_path)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_person_is_asked(answer: str, code: int) -> None:
    """At a real terminal, where the budget of 0 asks for any GPU at all."""
    program = (
        "from pathlib import Path; from ablation.cli.entry import exit_on_refusal; from ablation.config.cluster import Slurm\n"
        "from ablation.config.sweep.cells import compose_sweep; from ablation.planning.cost import confirm_budget\n"
        "from ablation.store.store import Store\n"
        "cluster = Slurm(kind='slurm', gpus_per_node=1, budget_gpu_hours=0)\n"
        "cells = compose_sweep(['sweep=single']).cells\n"
        "with exit_on_refusal(): confirm_budget(cells, cluster, Store(Path('none')), Path('none'))\n"
    )
    ours, theirs = pty.openpty()
    asked = subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    assert asked.wait(60) == code
    assert b"submit? [y/N]" in os.read(ours, 4096)
    os.close(ours)


def test_a_launch_above_the_budget_starts_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "launch.py"), "-m", "sweep=smoke", *TINY, "tracker=none", "cluster=slurm"]
    asked = [*command, "cluster.gpus_per_node=8", "cluster.timeout_min=6000", f"outputs='{tmp_path}'"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert told.returncode == 2
    assert "type cluster.budget_gpu_hours=1600" in told.stderr
    assert not (tmp_path / "smoke" / "submissions.jsonl").exists()


def test_the_plan_says_what_each_factor_could_show_and_leaves_large_ones_to_power() -> None:
    cells = compose_sweep(["sweep=cnls", "category=algebra", "length=normal", "count=n25,n100"]).cells
    told = power_lines(cells)
    assert [line.partition(":")[0] for line in told] == ["training", "count", "style"]
    assert all("points on these questions" in line for line in told)
    assert power_lines(cells * (AT_MOST_CELLS // len(cells) + 1)) == (LATER,)


def test_a_branch_whose_commit_nobody_can_tell_is_warned_of() -> None:
    limo = compose_sweep(["sweep=single", "corpus=limo", "category=all", "style=mixed"]).cells
    (told,) = unpinned_sources(pinned_cells(limo, strict=False))
    assert told.startswith("corpus GAIR/LIMO at main: which commit 'main' is cannot be looked up here")
    shipped = compose_sweep(["sweep=single", "scale=paper", "benchmark=aime24,aime25,math500,gsm8k"]).cells
    assert unpinned_sources(pinned_cells(shipped, strict=False)) == []
