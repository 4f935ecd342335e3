from pathlib import Path

import pytest

from ablation.cli import main
from ablation.expansion import composed_grid
from ablation.planning import outlook
from ablation.source import pinned_cell
from ablation.store import Store


def test_shared_work_is_planned_once(tmp_path: Path) -> None:
    cells = [pinned_cell(cell) for cell in composed_grid(["sweep=cnls", "sample.n=8,16"]).cells]
    found = outlook(cells, Store(tmp_path))
    assert (found.cells, found.done) == (98, 0)
    assert found.to_do == {"sample": 98, "grade": 98, "pool": 1, "select": 48, "train": 48}
    assert not list(tmp_path.iterdir())


def test_equal_cells_are_planned_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "sweep=smoke", "count.size=25,25", "style=r1", f"outputs={tmp_path}"]) == 0
    told = capsys.readouterr().out
    assert "smoke: 1 cells, 0 done, 1 to run" in told
    assert "1 cell merged with an equal one" in told


def test_what_differs_beside_a_factor_is_named(tmp_path: Path) -> None:
    cells = composed_grid(["sweep=cnls", "count=n25,n100"]).cells
    found = {(one.factor, one.quantity): one.by_level for one in outlook(cells, Store(tmp_path)).confounds}
    assert set(found) == {("count", "updates"), ("count", "examples")}
    epochs = cells[1].train.epochs if cells[1].train else 0
    assert found["count", "examples"] == {"25": 25 * epochs, "100": 100 * epochs}


def test_the_command_plans_and_refuses(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "sweep=smoke", f"outputs={tmp_path}"]) == 0
    assert "smoke: 2 cells, 0 done, 2 to run" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "sweep=smok"])
    assert "did you mean 'smoke'" in capsys.readouterr().err
