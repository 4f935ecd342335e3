"""A folder that is no usable model stops a sweep before its first cell, the untrained base model's included."""

import json
import shutil
from pathlib import Path

import pytest

from ablation.errors import ConfigProblems
from ablation.validate import prepare
from tests.conftest import ROOT
from tests.studies import planned


@pytest.mark.parametrize("cells", ["count=n0", "count=n25"])
def test_all_that_a_model_s_folder_lacks_is_said_at_once(cells: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder, ignore=shutil.ignore_patterns("*.safetensors", "*.jinja"))
    told = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**told, "chat_template": None}))
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    plan = planned(tmp_path / "outputs", cells, f"model.source.path={folder}")
    with pytest.raises(ConfigProblems) as refused:
        prepare(plan.cells, plan.store, print, plan.execution.cluster)
    said = "\n".join(refused.value.problems)
    assert "has no chat template; choose an instruct model" in said
    assert f"{folder} has no weights (*.safetensors); pytorch_model.bin could run code" in said
    assert not any((tmp_path / "outputs/store").glob("*/*-*"))


def test_an_adapter_beside_the_weights_is_refused(tmp_path: Path) -> None:
    """transformers would lay it over them without a word, out of a pickle where that is what there is."""
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.bin").write_bytes(b"never read")
    plan = planned(tmp_path / "outputs", "count=n0", f"model.source.path={folder}")
    with pytest.raises(
        ConfigProblems, match=r"holds an adapter \(adapter_config.json\), which would be laid over the weights"
    ):
        prepare(plan.cells, plan.store, print, plan.execution.cluster)


def test_the_embedded_model_is_fine(tmp_path: Path) -> None:
    plan = planned(tmp_path, "count=n0")
    assert prepare(plan.cells, plan.store, print, plan.execution.cluster)
