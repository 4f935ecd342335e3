"""The pool's rows are the same in whatever batches they were encoded, and what goes wrong in a batch reaches the caller."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from transformers import ByT5Tokenizer

from ablation.config.cluster import RuntimeOptions
from ablation.data.corpus import encoded_batches, pool
from ablation.data.corpus.chat_template import encoded
from ablation.data.corpus.pool import INDEX_FILE, TRAJECTORIES_FILE, make_pool, read_trajectories
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import DataError
from ablation.jobs.run.pipeline import run_cell
from ablation.specs import Corpus, Model
from ablation.specs.cell import Cell
from ablation.store.interrupt import Interrupted, StopRequest
from ablation.store.store import Store, verify
from tests.conftest import ROOT, openr1_row, write_lines

ROWS = 9


@pytest.fixture
def model(cell_of: Callable[..., Cell]) -> Model:
    return cell_of().model


@pytest.fixture
def a_batch_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded_batches, "_BATCH_CHARACTERS", 1)


def corpus(folder: Path, *wrong: int) -> Corpus:
    """Two generations a row; the rows `wrong` lack an answer of the checker."""
    rows = [
        openr1_row(number, generations=[f"{number} + 1", f"{number} + {'2' * number}"])
        | ({"correctness_math_verify": [True]} if number in wrong else {})
        for number in range(ROWS)
    ]
    source = {"path": str(write_lines(folder / "corpus.jsonl", rows))}
    return Corpus.model_validate({"name": "test", "reader": "openr1", "keep": "all", "source": source}, strict=False)


def whole(given: Corpus, model: Model) -> tuple[pa.Table, pa.Table, int]:
    pairs = list(encoded_batches.encoded_tables(given, load_tokenizer(model), Counter()))
    index, trajectories = (pa.Table.from_batches(column) for column in zip(*pairs, strict=True))
    return index, trajectories, len(pairs)


def test_rows_are_the_same_in_one_batch_and_in_many(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = corpus(tmp_path)
    index, trajectories, together = whole(given, model)
    monkeypatch.setattr(encoded_batches, "_BATCH_CHARACTERS", 1)
    index_apart, trajectories_apart, apart = whole(given, model)
    assert (together, apart) == (1, ROWS)
    assert index.equals(index_apart) and trajectories.equals(trajectories_apart)
    tokenizer = load_tokenizer(model)
    texts = trajectories["generation"].to_pylist()
    assert index["tokens"].to_pylist() == [
        len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts
    ]


@pytest.mark.usefixtures("a_batch_a_row")
def test_a_wrong_row_behind_many_batches_is_named_and_no_thread_stays(tmp_path: Path, model: Model) -> None:
    before = threading.active_count()
    with pytest.raises(DataError, match="row 7, column correctness_math_verify"):
        make_pool(corpus(tmp_path, 7), model, tmp_path)
    assert threading.active_count() == before


@pytest.mark.usefixtures("a_batch_a_row")
def test_asked_to_stop_it_stops_between_batches_and_no_thread_stays(tmp_path: Path, model: Model) -> None:
    before, halt = threading.active_count(), StopRequest()
    halt.request("a test")
    with pytest.raises(Interrupted):
        make_pool(corpus(tmp_path), model, tmp_path, halt)
    assert threading.active_count() == before


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each corpus that is encoded, by a wrapper around the real thing."""
    seen: list[str] = []
    real = pool._encode

    def encode(given: Corpus, *rest: Any) -> None:
        seen.append(given.name)
        real(given, *rest)

    monkeypatch.setattr(pool, "_encode", encode)
    return seen


def pooled(cell: Cell, store: Store) -> Path:
    return run_cell(cell, store, RuntimeOptions(), last="pool")["pool"]


def test_two_models_with_one_tokenizer_share_what_it_encoded(
    cell_of: Callable[..., Cell], tmp_path: Path, counted: list[str]
) -> None:
    """A larger model of the family, and one whose template says something else."""
    base, store = ROOT / "ablation/mini/data/base", Store(tmp_path / "store")
    for name in ("larger", "other"):
        shutil.copytree(base, tmp_path / name)
    (tmp_path / "larger/config.json").write_text((base / "config.json").read_text().replace("1e-06", "1e-05"))
    template = next((tmp_path / "other").glob("*.jinja"))
    template.write_text("{{ bos_token }}" + template.read_text())
    cells = {name: cell_of(f"model.source.path={tmp_path / name}") for name in ("larger", "other")}
    first = pooled(cell_of(), store)
    assert counted == ["mini"]
    second = pooled(cells["larger"], store)
    assert counted == ["mini"] and second != first
    assert (second / INDEX_FILE).read_bytes() == (first / INDEX_FILE).read_bytes()
    assert not verify(second)
    pooled(cells["other"], store)
    assert counted == ["mini", "mini"]


def test_a_damaged_pool_is_not_used_for_another_model(
    cell_of: Callable[..., Cell], tmp_path: Path, counted: list[str]
) -> None:
    store = Store(tmp_path / "store")
    first = pooled(cell_of(), store)
    trajectories = first / TRAJECTORIES_FILE
    trajectories.write_bytes(trajectories.read_bytes()[:-1])
    shutil.copytree(ROOT / "ablation/mini/data/base", tmp_path / "model")
    (tmp_path / "model/notes.json").write_text("{}")
    assert not verify(pooled(cell_of(f"model.source.path={tmp_path / 'model'}"), store))
    assert counted == ["mini", "mini"]


def test_what_is_written_is_read_by_position(tmp_path: Path, model: Model) -> None:
    make_pool(corpus(tmp_path), model, tmp_path)
    found = read_trajectories(tmp_path, [5, 0])
    assert [one.generation for one in found] == ["2 + 22", "0 + 1"]


def test_a_tokenizer_in_python_gives_what_it_gives_itself() -> None:
    tokenizer = ByT5Tokenizer()
    texts = ["1 + 1", "", "½"]
    found = encoded(tokenizer, texts)
    assert not tokenizer.is_fast
    assert [one.ids for one in found] == tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert [len(one) for one in found] == [len(one.ids) for one in found]
