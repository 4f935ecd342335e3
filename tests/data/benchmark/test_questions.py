"""A benchmark is read with its ids, answers and tiers in every schema and format, and refused where anything is wrong."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ablation.config.read import read_cell
from ablation.data.benchmark import read_questions, read_tiers, tier_names
from ablation.errors import DataError
from ablation.evaluation.grading.references import unreadable_answers
from ablation.specs import Benchmark, BenchmarkColumns, Source
from tests.conftest import ROOT, write_lines

ROWS = [{"id": 60, "problem": "p", "answer": "025"}, {"id": 61, "problem": "q", "answer": "7"}]


def benchmark(folder: Path, rows: list[Any], tiers: Any, **more: Any) -> Benchmark:
    write_lines(folder / "q.jsonl", rows)
    (folder / "t.yaml").write_text(yaml.safe_dump(tiers))
    content = {"name": "test", "source": {"path": str(folder / "q.jsonl")}, "tiers": {"path": str(folder / "t.yaml")}}
    return Benchmark.model_validate({**content, **more})


# The three schemas in which AIME24 is published (dataset cards of math-ai/aime24, HuggingFaceH4/aime_2024, simplescaling's sets).
KEY = yaml.safe_load((ROOT / "ablation/data/benchmark/shipped/aime24_answers.yaml").read_text())
SCHEMAS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "math-ai": lambda one, answer: {"id": one, "problem": f"p{one}", "solution": rf"\boxed{{{answer}}}", "url": "u"},
    "HuggingFaceH4": lambda one, answer: {
        "id": one, "problem": f"p{one}", "solution": rf"no \boxed{{1}}, \framebox{{{answer}}}", "answer": answer, "url": "u",
        "year": "2024",
    },
    "simplescaling": lambda one, answer: {
        "id": str(one), "question": f"p{one}", "orig_solution": "s", "orig_answer": answer.lstrip("0"), "url": "u",
    },
}  # fmt: skip


def aime24(composed: Callable[..., dict[str, Any]], path: Path) -> Benchmark:
    overrides = ["benchmark=aime24", "benchmark.source.hub=null", f"benchmark.source.path={path}"]
    return read_cell(composed(*overrides)).benchmark


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv", ".json"])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_aime24_has_its_ids_and_tiers_in_every_schema_and_format(
    schema: str, suffix: str, tmp_path: Path, composed: Callable[..., dict[str, Any]]
) -> None:
    if schema != "math-ai" and suffix in (".csv", ".json"):
        pytest.skip("one schema shows the format")
    rows, path = [SCHEMAS[schema](one, answer) for one, answer in KEY.items()], tmp_path / f"aime{suffix}"
    frame = pd.DataFrame(rows)
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=suffix == ".jsonl")
    found = aime24(composed, path)
    assert [one.id for one in read_questions(found)] == [str(one) for one in range(60, 90)]
    assert {one.id: int(one.answer) for one in read_questions(found)} == {str(one): int(KEY[one]) for one in KEY}
    assert Counter(read_tiers(found).values()) == {"easy": 4, "medium": 10, "hard": 12, "exh": 4}


def test_aime25_is_read_in_the_columns_it_has(composed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """`problem`, `answer` and `id`, all of them texts (dataset card of MultiturnRL/AIME25); it has no tiers."""
    path = tmp_path / "aime25.parquet"
    pd.DataFrame({"problem": ["p", "q"], "answer": ["70", "588"], "id": ["0", "1"]}).to_parquet(path)
    overrides = ["benchmark=aime25", "benchmark.source.hub=null", f"benchmark.source.path={path}"]
    found = read_cell(composed(*overrides)).benchmark
    told = [(one.id, one.problem, one.answer) for one in read_questions(found)]
    assert told == [("0", "p", "70"), ("1", "q", "588")]
    assert set(read_tiers(found)) == {"0", "1"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda rows: rows[:29], "has 29 of 30 questions; not there: 89"),
        (lambda rows: [*rows, rows[5]], "row 30, column id: ids occur twice: 65"),
        (lambda rows: [*rows, {**rows[0], "id": 90}], "row 30, column id: 90 is not among the 30 ids"),
        (lambda rows: [{**rows[0], "solution": r"\boxed{205}"}, *rows[1:]], "row 0, column answer: 205 is not 204"),
    ],
)
def test_an_aime24_that_is_not_the_published_one_is_refused(
    change: Callable[[list[Any]], list[Any]], named: str, tmp_path: Path, composed: Callable[..., dict[str, Any]]
) -> None:
    rows = [SCHEMAS["math-ai"](one, answer) for one, answer in KEY.items()]
    with pytest.raises(DataError, match=named):
        read_questions(aime24(composed, write_lines(tmp_path / "aime.jsonl", change(rows))))


def test_the_key_has_the_answers_of_the_real_file(composed: Callable[..., dict[str, Any]]) -> None:
    real = ROOT.parent / "shared/data/aime24.jsonl"
    if not real.exists():
        pytest.skip("no ../shared/data/aime24.jsonl beside this checkout")
    assert len(read_questions(aime24(composed, real))) == 30


def test_columns_are_mapped_and_answers_stand_behind_a_mark(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    rows = [{"question": "q", "answer": "3 #### 4\n#### 1,018"}, {"question": "r", "answer": "#### 7"}]
    path = write_lines(tmp_path / "gsm8k.jsonl", rows)
    overrides = ["benchmark=gsm8k", "benchmark.source.hub=null", f"benchmark.source.path={path}"]
    found = read_cell(composed(*overrides)).benchmark
    assert [(one.id, one.problem, one.answer) for one in read_questions(found)] == [
        ("0", "q", "1,018"),
        ("1", "r", "7"),
    ]
    assert read_tiers(found) == {"0": "questions", "1": "questions"}
    without = Source(path=str(write_lines(tmp_path / "without.jsonl", [{"question": "q", "answer": "1018"}])))
    with pytest.raises(DataError, match="row 0, column answer: nothing stands behind '####'"):
        read_questions(found.model_copy(update={"source": without}))


def test_a_column_may_name_the_tier(composed: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    rows = [
        {"unique_id": f"test/{level}.json", "problem": "p", "answer": r"\frac{1}{2}", "level": level}
        for level in (5, 1)
    ]
    path = write_lines(tmp_path / "math.jsonl", rows)
    overrides = ["benchmark=math500", "benchmark.source.hub=null", f"benchmark.source.path={path}"]
    found = read_cell(composed(*overrides)).benchmark
    assert read_tiers(found) == {"test/5.json": "level 5", "test/1.json": "level 1"}
    assert tier_names(found) == ["level 1", "level 5"]


@pytest.mark.parametrize("name", ["aime24", "aime25", "math500", "gsm8k"])
def test_a_hub_that_cannot_be_reached_says_what_else_to_give(
    name: str, composed: Callable[..., dict[str, Any]]
) -> None:
    found = read_cell(composed(f"benchmark={name}")).benchmark
    with pytest.raises(
        DataError, match=rf"{found.source.hub} at revision \w+ cannot be read .*benchmark\.source\.path=FILE"
    ):
        read_questions(found)


def test_an_answer_without_a_reading_is_named_before_anything_runs(tmp_path: Path) -> None:
    rows = [{"id": 1, "problem": "p", "answer": r"\frac{1}{2}"}, {"id": 2, "problem": "p", "answer": "¿?"}]
    (told,) = unreadable_answers(benchmark(tmp_path, rows, {"easy": [1, 2]}))
    assert told.endswith("row 1 (id 2), column answer: '¿?' has no mathematical reading")


def test_what_is_asked_does_not_depend_on_tiers_and_answers(tmp_path: Path) -> None:
    plain = benchmark(tmp_path, ROWS, {"easy": [60], "hard": [61]})
    assert plain.questions() == plain.model_copy(update={"tiers": None, "answers": plain.source}).questions()
    assert plain.questions() != plain.model_copy(update={"columns": BenchmarkColumns(problem="question")}).questions()


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
        ([], "has no rows"),
        ([{"id": 60, "problem": "p", "answer": r"\frac{1}{2"}], "row 0, column answer: .*do not balance"),
        ([{"id": 60, "problem": "p", "answer": "1" * 1001}], "row 0, column answer: .*longer than 1,000"),
        ([{"id": 60, "prblem": "p", "answer": "1"}], "row 0, column problem: missing.*did you mean 'prblem'"),
        ([{"id": True, "problem": "p", "answer": "1"}], "row 0, column id"),
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
    with pytest.raises(DataError, match=r"q\.jsonl, row 0, column id: not text in UTF-8"):
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
    labels = yaml.safe_load((ROOT / "ablation/data/benchmark/shipped/aime24_tiers.yaml").read_text())
    assert [len(ids) for ids in labels.values()] == [4, 10, 12, 4]
    assert sorted(one for ids in labels.values() for one in ids) == list(range(60, 90))
