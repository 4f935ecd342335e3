"""The shipped corpus is what its generator says, and keeps what its flags promise."""

from collections import Counter
from functools import cache

import pyarrow.parquet as pq

from ablation.data.benchmark.answers import last_boxed
from ablation.mini import CORPUS
from ablation.mini.corpus import DEPTH_WEIGHTS, SCHEMA, CorpusRow, rows
from ablation.mini.problems import MAX_DEPTH
from ablation.mini.wordings import PROBLEM_TYPES

POOL_PER_CATEGORY_AND_STYLE = 650
LARGEST_FILE_BYTES = 3_000_000


@cache
def shipped() -> list[CorpusRow]:
    return pq.read_table(CORPUS).to_pylist()  # type: ignore[no-any-return]


def right(row: CorpusRow) -> list[bool]:
    """As the corpus reader decides: either verifier suffices."""
    verified: list[bool] = row["correctness_math_verify"]
    llama = row["correctness_llama"] or [False] * len(verified)
    return [a or b for a, b in zip(verified, llama, strict=True)]


def test_shipped_rows_are_those_of_the_generator() -> None:
    assert pq.read_schema(CORPUS).equals(SCHEMA)
    assert shipped() == list(rows())


def test_file_is_small_enough_to_ship() -> None:
    assert CORPUS.stat().st_size < LARGEST_FILE_BYTES


def test_flags_tell_the_truth() -> None:
    for row in shipped():
        for text, flag, complete in zip(row["generations"], right(row), row["is_reasoning_complete"], strict=True):
            assert flag == (last_boxed(text) == row["answer"])
            assert complete == (last_boxed(text) is not None)
        assert row["correctness_count"] == sum(right(row))
        assert 0 <= int(row["answer"]) <= 999


def test_lists_of_a_row_have_one_entry_per_generation() -> None:
    columns = ("generation_styles", "finish_reasons", "correctness_math_verify", "is_reasoning_complete")
    for row in shipped():
        assert {len(row[column]) for column in columns} == {len(row["generations"])}
        styles: Counter[str] = Counter(row["generation_styles"])
        assert styles["r1"] >= 2
        assert styles["gemini"] >= 1


def test_every_category_and_style_has_a_large_pool() -> None:
    pool = Counter(
        (row["problem_type"], style)
        for row in shipped()
        for style, flag in zip(row["generation_styles"], right(row), strict=True)
        if flag
    )
    assert len(pool) == 2 * len(PROBLEM_TYPES)
    assert min(pool.values()) >= POOL_PER_CATEGORY_AND_STYLE


def test_the_awkward_cases_of_the_real_set_occur() -> None:
    only_llama = [row for row in shipped() if not any(row["correctness_math_verify"]) and any(right(row))]
    assert only_llama
    assert any(row["correctness_llama"] is None for row in shipped())
    assert any("length" in row["finish_reasons"] for row in shipped())
    assert any(not any(right(row)) for row in shipped())


def test_problems_and_ids_are_unique() -> None:
    for column in ("problem", "uuid"):
        assert len({row[column] for row in shipped()}) == len(shipped())


def test_depths_reach_from_one_step_to_the_deepest() -> None:
    assert min(DEPTH_WEIGHTS) == 1
    assert max(DEPTH_WEIGHTS) == MAX_DEPTH
