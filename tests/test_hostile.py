"""What a config or a model's folder may bring along to be run: it is refused, and not run."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.cell import Cell
from ablation.config import read_cell, read_execution
from ablation.errors import ConfigProblems
from ablation.training.recipe import load_model
from tests.conftest import ROOT, Composed


@pytest.mark.parametrize("key", ["_target_", "train._target_", "model.source._target_", "cluster._partial_"])
def test_a_config_names_nothing_to_be_called(composed: Composed, tmp_path: Path, key: str) -> None:
    content = composed(f"+{key}=os.mkdir")
    with pytest.raises(ConfigProblems, match=f"{key}: unknown"):
        read_cell(content)
        read_execution(content)
    assert not list(tmp_path.iterdir())


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
