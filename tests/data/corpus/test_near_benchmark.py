"""Problems that are like a benchmark's, or unlike them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ablation.data.benchmark.questions import read_questions
from ablation.data.corpus.near_benchmark import read_near, tier_questions
from ablation.data.corpus.select import read_selection
from ablation.data.corpus.similarity import cosine_similarity
from ablation.errors import ConfigProblems, DataError
from ablation.jobs.run.pipeline import run_cell
from ablation.specs import Embedding, Source
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from tests.conftest import ROOT, openr1_row, write_lines

CellOf = Callable[..., Cell]
WORDS = ["circle", "triangle", "angle", "ladder", "train", "speed", "coin", "die", "prime", "digit", "root", "sum"]


@pytest.fixture
def world(tmp_path: Path) -> list[str]:
    """Overrides for two hard questions, one on circles and one on trains, and a corpus on these and on much else."""
    write_lines(
        tmp_path / "b.jsonl",
        [
            {"id": 1, "problem": "A circle and another circle touch the triangle.", "answer": "1"},
            {"id": 2, "problem": "The train has a speed; which speed has the other train?", "answer": "2"},
            {"id": 3, "problem": "A coin and a die.", "answer": "3"},
        ],
    )
    (tmp_path / "t.yaml").write_text('{"hard": [1, 2], "easy": [3]}')
    rows = [
        openr1_row(number, problem=f"Problem {number} on {one} and {other}", problem_type="Algebra")
        for number, (one, other) in enumerate((one, other) for one in WORDS for other in WORDS if one < other)
    ]
    return [
        f"benchmark.source.path={tmp_path}/b.jsonl", f"benchmark.tiers.path={tmp_path}/t.yaml",
        f"corpus.source.path={write_lines(tmp_path / 'c.jsonl', rows)}", "count.size=4", "style.paired=[]",
        "category.near.per_question=5",
    ]  # fmt: skip


def test_similar_and_dissimilar_are_what_they_say(cell_of: CellOf, world: list[str], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    problems = {}
    for name in ("similar", "dissimilar"):
        cell = cell_of(f"category={name}", *world)
        paths = run_cell(cell, store, last="select")
        problems[name] = [one.problem for one in read_selection(paths["select"], paths["pool"])]
        near = read_near(paths["near"])
        # A problem that both questions take is there once.
        assert len(near) == 10 if name == "dissimilar" else 5 <= len(near) <= 10
        assert near["problem_key"].is_unique
        assert set(near["question"]) <= {"1", "2"}
    alike = ("circle", "triangle", "train", "speed")
    assert all(any(word in text for word in alike) for text in problems["similar"])
    assert not any(word in text for word in alike for text in problems["dissimilar"])


def test_what_is_near_is_part_of_the_selection_alone(cell_of: CellOf) -> None:
    similar, wider = cell_of("category=similar"), cell_of("category=similar", "category.near.per_question=91")
    one, other, plain = addresses(similar), addresses(wider), addresses(cell_of("category=all"))
    assert one["sift"] == other["sift"] == plain["sift"]
    assert one["near"].digest != other["near"].digest
    assert one["select"].digest != other["select"].digest
    assert "near" not in plain


def test_an_embedding_model_is_read_from_a_path(cell_of: CellOf) -> None:
    by_model = Embedding(kind="model", source=cell_of().model.source)
    texts = [one.problem for one in read_questions(cell_of().benchmark)[:6]]
    alike = cosine_similarity(texts, texts[:3], by_model)
    assert alike.shape == (6, 3)
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-5)
    assert (alike.argmax(axis=0) == [0, 1, 2]).all()
    # What stands beside a text in its batch changes nothing but last bits.
    np.testing.assert_allclose(cosine_similarity(texts[:1], texts[:3], by_model), alike[:1], atol=1e-4)


@pytest.mark.parametrize("absent", [["pad_token"], ["pad_token", "eos_token", "unk_token"]])
def test_an_embedding_model_without_a_word_for_padding_gives_the_same(
    absent: list[str], cell_of: CellOf, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "ablation/mini/data/base", tmp_path / "model")
    told = tmp_path / "model/tokenizer_config.json"
    kept = {name: value for name, value in json.loads(told.read_text()).items() if name not in absent}
    told.write_text(json.dumps(kept))
    texts = [one.problem for one in read_questions(cell_of().benchmark)[:6]]
    found, expected = (
        cosine_similarity(texts, texts, Embedding(kind="model", source=source))
        for source in (Source(path=str(tmp_path / "model")), cell_of().model.source)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_embedding_model_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be loaded"):
        cosine_similarity(["a"], ["b"], Embedding(kind="model", source=Source(path=str(tmp_path))))


def test_a_tier_that_there_is_not_is_refused(cell_of: CellOf) -> None:
    cell = cell_of("category=similar", "category.near.tiers=[hrad]")
    assert cell.category is not None
    assert cell.category.near is not None
    with pytest.raises(
        ConfigProblems, match=r"category.near.tiers: given 'hrad'; benchmark mini has: .*did you mean 'hard'"
    ):
        tier_questions(cell.category.near)
