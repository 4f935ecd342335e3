"""Reference counts come from results of a study, and never from a study's own seeds."""

from pathlib import Path

import pandas as pd
import pytest

from ablation.data.benchmark.tier_rule import ReferenceCount
from ablation.mini.references import reference_counts


def study(folder: Path, seed: int) -> Path:
    """A study of two models and two questions, two attempts each."""
    folder.mkdir()
    rows = [
        {
            "cell": cell, "count": count, "question": question, "attempt": attempt,
            "verdict": "correct" if attempt < right else "wrong",
            "seed_data": seed, "seed_train": seed, "seed_sample": seed,
        }
        for cell, count, right in (("base", 0, 1), ("many", 800, 2))
        for question in ("10", "9")
        for attempt in range(2)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "results.parquet")
    return folder


def test_counts_are_per_question_and_model_in_numerical_order(tmp_path: Path) -> None:
    counts = reference_counts([study(tmp_path / "a", 1000)])
    assert counts[:2] == [ReferenceCount(9, "base", "base", 2, 1), ReferenceCount(9, "large", "many", 2, 2)]
    assert [count.question for count in counts] == [9, 9, 10, 10]


def test_a_cell_that_two_studies_share_counts_once(tmp_path: Path) -> None:
    studies = [study(tmp_path / name, 1000) for name in ("a", "b")]
    assert reference_counts(studies) == reference_counts(studies[:1])


def test_seeds_of_studies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed 3; reference runs need seeds of at least 1000"):
        reference_counts([study(tmp_path / "a", 3)])
