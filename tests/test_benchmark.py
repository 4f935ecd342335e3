from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablation.benchmark import read_questions, read_tiers, tier_names
from ablation.config import read_cell
from ablation.errors import DataError
from ablation.science import Benchmark
from tests.conftest import ROOT, write_lines

ROWS = [{"id": 60, "problem": "p", "answer": "025"}, {"id": 61, "problem": "q", "answer": "7"}]


def benchmark(folder: Path, rows: list[Any], tiers: Any) -> Benchmark:
    write_lines(folder / "q.jsonl", rows)
    (folder / "t.yaml").write_text(yaml.safe_dump(tiers))
    content = {"name": "test", "source": {"path": str(folder / "q.jsonl")}, "tiers": {"path": str(folder / "t.yaml")}}
    return Benchmark.model_validate(content)


def test_questions_and_tiers_are_read(tmp_path: Path) -> None:
    found = benchmark(tmp_path, ROWS, {"easy": [60], "hard": [61]})
    assert [(one.id, one.answer) for one in read_questions(found)] == [("60", "025"), ("61", "7")]
    assert read_tiers(found) == {"60": "easy", "61": "hard"}
    assert tier_names(found) == ["easy", "hard"]


def test_an_answer_may_stand_in_the_solution_alone(tmp_path: Path) -> None:
    rows = [{"id": 1, "problem": "p", "solution": r"so \boxed{204}"}]
    assert read_questions(benchmark(tmp_path, rows, {}))[0].answer == "204"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([*ROWS, ROWS[0]], "ids occur twice: 60"),
        ([], "no questions"),
        ([{"id": 60, "problem": "p"}], "row 0, column answer"),
        ([{"id": 60, "problem": "", "answer": "1"}], "row 0, column problem"),
        ([[1]], "row 0: not an object"),
    ],
)
def test_a_broken_benchmark_is_refused(tmp_path: Path, rows: list[Any], named: str) -> None:
    with pytest.raises(DataError, match=named):
        read_questions(benchmark(tmp_path, rows, {}))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    found = benchmark(tmp_path, ROWS, {})
    (tmp_path / "q.jsonl").write_bytes('{"id": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match="not a text file of JSON lines in UTF-8"):
        read_questions(found)


@pytest.mark.parametrize(
    ("tiers", "named"),
    [
        ({"easy": [60]}, "in no tier: 61"),
        ({"easy": [60, 61], "hard": [61]}, "in two tiers: 61"),
        ({"easy": [60, 61, 62]}, "not a question: 62"),
        ([1], "not a map"),
        ({"easy": 3}, "not a map"),
    ],
)
def test_tiers_must_divide_the_questions(tmp_path: Path, tiers: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        read_tiers(benchmark(tmp_path, ROWS, tiers))


def test_the_embedded_benchmark_has_forty_questions_in_four_tiers(composed: Callable[..., dict[str, Any]]) -> None:
    found = read_cell(composed()).benchmark
    assert len(read_questions(found)) == 40
    assert tier_names(found) == ["easy", "medium", "hard", "exh"]


def test_the_tiers_of_aime24_are_the_studys() -> None:
    labels = yaml.safe_load((ROOT / "ablation/tiers/aime24.yaml").read_text())
    assert [len(ids) for ids in labels.values()] == [4, 10, 12, 4]
    assert sorted(one for ids in labels.values() for one in ids) == list(range(60, 90))
