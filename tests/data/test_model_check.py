"""A folder that is no usable model stops a sweep before its first cell, the untrained base model's included."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ablation.data.model_check import base_model_problems
from ablation.errors import ConfigProblems
from ablation.planning.validate import prepare_cells
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
        prepare_cells(plan.cells, plan.store, print, plan.execution.cluster)
    said = "\n".join(refused.value.problems)
    assert "has no chat template; choose an instruct model" in said
    assert f"{folder} has no weights (*.safetensors); pytorch_model.bin could run code" in said
    assert not any((tmp_path / "outputs/store").glob("*/*-*"))


def test_a_model_without_its_config_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder, ignore=shutil.ignore_patterns("config.json"))
    assert "has no config.json, so it is no model" in refused(tmp_path, folder)


def test_a_download_that_stopped_half_way_is_refused(tmp_path: Path) -> None:
    """A shard that the index names and the folder lacks, and one whose end is missing."""
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder)
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    os.truncate(folder / "model.safetensors", 100_000)
    said = refused(tmp_path, folder)
    assert "lacks model-00002-of-00002.safetensors, which model.safetensors.index.json names" in said
    assert "has a damaged model.safetensors (" in said
    (folder / "model.safetensors.index.json").write_text('{"weight_map": ')
    assert "has a damaged model.safetensors.index.json (" in refused(tmp_path, folder)


def test_a_gguf_file_alone_is_no_weights(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "ablation/mini/data/base", folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.gguf").write_bytes(b"GGUF")
    assert "has no weights (*.safetensors)" in refused(tmp_path, folder)


def test_a_revision_of_the_hub_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    """Also for a cell without training, whose first work would be to sample."""
    plan = planned(tmp_path / "outputs", "count=n0")
    source = plan.cells[0].model.source.model_copy(
        update={"path": None, "hub": "nobody/nothing", "revision": "0" * 40, "sha256": None}
    )
    model = plan.cells[0].model.model_copy(update={"source": source})
    [said] = base_model_problems(model)
    assert f"no tokenizer at nobody/nothing at revision {'0' * 40}" in said


def refused(tmp_path: Path, folder: Path) -> str:
    """What is said of a cell without training that samples this folder."""
    plan = planned(tmp_path / "outputs", "count=n0", f"model.source.path={folder}")
    with pytest.raises(ConfigProblems) as told:
        prepare_cells(plan.cells, plan.store, print, plan.execution.cluster)
    return "\n".join(told.value.problems)


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
        prepare_cells(plan.cells, plan.store, print, plan.execution.cluster)


def test_the_embedded_model_is_fine(tmp_path: Path) -> None:
    plan = planned(tmp_path, "count=n0")
    assert prepare_cells(plan.cells, plan.store, print, plan.execution.cluster)
