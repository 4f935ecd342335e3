"""The identity of a source is its content alone, and data that changed under a cell's key is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ablation.data.source import fingerprint, is_pinned, local_path, pinned
from ablation.errors import DataError
from ablation.specs import Source
from ablation.specs.cell import Cell

CellOf = Callable[..., Cell]


def test_data_that_changed_under_its_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("one")
    source = pinned(Source(path=str(path)))
    assert local_path(source) == path
    path.write_text("two")
    with pytest.raises(DataError, match="was pinned: the content changed"):
        local_path(source)


def test_a_pinned_path_holds_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.jsonl").write_text("one")
    monkeypatch.chdir(tmp_path)
    source = pinned(Source(path="data.jsonl"))
    monkeypatch.chdir("/")
    assert local_path(source) == tmp_path / "data.jsonl"


def test_caches_and_documentation_are_not_content(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("weights")
    before = fingerprint(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/stamp").write_text("now")
    (tmp_path / "README.md").write_text("a card")
    assert fingerprint(tmp_path) == before
    (tmp_path / "config.json").write_text("{}")
    assert fingerprint(tmp_path) != before


def test_where_data_lies_is_not_identity(cell_of: CellOf, tmp_path: Path) -> None:
    here = local_path(cell_of().benchmark.source)
    assert here is not None
    (tmp_path / "copy.jsonl").write_bytes(here.read_bytes())
    assert cell_of(f"benchmark.source.path={tmp_path}/copy.jsonl").key == cell_of().key


def test_a_file_is_its_content_whatever_else_was_said_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    plain = Source(path=str(tmp_path / "a.jsonl"))
    assert pinned(plain.model_copy(update={"split": "train", "revision": "main"})) == pinned(plain)
    assert is_pinned(pinned(plain))
    assert not is_pinned(plain)


def test_links_that_lead_back_to_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    with pytest.raises(DataError, match=r"loop\.jsonl leads nowhere .*give another path"):
        local_path(Source(path=str(tmp_path / "loop.jsonl")))
