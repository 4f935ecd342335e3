"""What a config or a model's folder may bring along to be run: it is refused, and not run."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.cell import Cell
from ablation.cli import main
from ablation.config import read_cell, read_execution
from ablation.errors import ConfigProblems, RecordError
from ablation.store import check_writable
from ablation.training.recipe import load_model
from tests.conftest import ROOT, Composed


@pytest.mark.parametrize("key", ["_target_", "train._target_", "model.source._target_", "cluster._partial_"])
def test_a_config_names_nothing_to_be_called(composed: Composed, tmp_path: Path, key: str) -> None:
    content = composed(f"+{key}=os.mkdir")
    with pytest.raises(ConfigProblems, match=f"{key}: unknown"):
        read_cell(content)
        read_execution(content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "outputs", ["/scratch/a%j", "a\\b", "a\nb", "a\x1bb", "", " ", "~nobody-of-this-name/x", "a\0b"]
)
def test_a_folder_that_cannot_be_meant_is_refused_with_the_plan(
    composed: Composed, outputs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {**composed("cluster=slurm"), "outputs": outputs}
    with pytest.raises(ConfigProblems, match="outputs: "):
        read_execution(content)
    assert not list(tmp_path.iterdir())


def test_planning_refuses_what_submitting_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["plan", "sweep=smoke", "cluster=slurm", f"outputs='{tmp_path}/a%j'"])
    assert refused.value.code == 2
    assert "'%', which Slurm reads as something else" in capsys.readouterr().err


def test_home_is_where_it_is_everywhere_else(
    composed: Composed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_execution({**composed(), "outputs": "~/x"}).outputs == str(tmp_path / "x")
    assert read_execution({**composed(), "outputs": "../x~"}).outputs == "../x~"


@pytest.mark.parametrize("inner", ["", "deeper"])
def test_a_folder_behind_a_link_to_itself_is_refused(tmp_path: Path, inner: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(RecordError, match=r"loop.*; set outputs=DIR"):
        check_writable(tmp_path / "loop" / inner)


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.place),)


def test_pickled_weights_are_refused_and_not_read(cell_of: Callable[..., Cell], tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(ROOT / "ablation/mini/data/base", base, ignore=shutil.ignore_patterns("*.safetensors*"))
    sprung = tmp_path / "sprung"
    (base / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(OSError, match="safetensors"):
        load_model(cell_of(f"model.source.path={base}").model)
    assert not sprung.exists()
