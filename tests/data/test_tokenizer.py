"""The models that can be asked for by name: pinned, counted, and with a tokenizer that is fit for fine-tuning."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.config.read import read_cell
from ablation.data.tokenizer import load_tokenizer, model_location
from ablation.errors import DataError
from ablation.planning.memory import parameters_of_shape
from ablation.specs.cell import Cell
from tests.conftest import ROOT, Composed

LARGE = [
    path.stem for path in sorted((ROOT / "conf/model").glob("*.yaml")) if "parameters: null" not in path.read_text()
]


@pytest.mark.parametrize("name", LARGE)
def test_a_model_s_weights_are_counted_by_its_shape_and_its_commit_is_pinned(composed: Composed, name: str) -> None:
    model = read_cell(composed("scale=paper", f"model={name}", "corpus=openr1_math")).model
    assert model.shape and model.parameters == parameters_of_shape(model.shape)
    assert model.source.hub is None or re.fullmatch("[0-9a-f]{40}", str(model.source.revision))


def test_a_tokenizer_without_a_pad_token_is_given_one_that_changes_no_key(
    cell_of: Callable[..., Cell], tmp_path: Path
) -> None:
    folder = shutil.copytree(model_location(cell_of().model)[0], tmp_path / "model")
    told = json.loads((folder / "tokenizer_config.json").read_text())
    word = told.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    model = cell_of().model.model_copy(
        update={"source": cell_of().model.source.model_copy(update={"path": str(folder), "sha256": None})}
    )
    with pytest.raises(DataError, match=r"names no pad token; set model.pad_token to a special token"):
        load_tokenizer(model)
    given = model.model_copy(update={"pad_token": word})
    assert load_tokenizer(given).pad_token == word
    assert given.canonical() == model.canonical()
    with pytest.raises(
        DataError, match=r"model.pad_token: given 'nothing', which the tokenizer of model mini does not"
    ):
        load_tokenizer(model.model_copy(update={"pad_token": "nothing"}))
