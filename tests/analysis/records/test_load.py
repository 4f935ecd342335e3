"""Records that are missing, foreign or contradictory are refused with a sentence that helps."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablation.analysis import load
from ablation.errors import RecordError
from tests.analysis.studies import BASE, build, save, trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(build([BASE, trained()], lambda _cell, q: q % 3), tmp_path / "tiny")


def _rewrite(folder: Path, **changes: Any) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_what_was_saved_is_loaded(folder: Path) -> None:
    study = load(folder)
    assert (study.name, study.n_attempts, study.tiers, study.loss) == ("tiny", 4, ("easy", "hard"), None)
    assert len(study.results) == 2 * 12 * 4


@pytest.mark.parametrize("file", ["manifest.json", "results.parquet", "cells.parquet"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(RecordError, match=f"{file} is missing"):
        load(folder)


@pytest.mark.parametrize("file", ["manifest.json", "results.parquet", "cells.parquet"])
def test_a_damaged_file_is_named(folder: Path, file: str) -> None:
    (folder / file).write_text("{ not finished")
    with pytest.raises(RecordError, match=f"{file} is not"):
        load(folder)


def test_another_format_is_refused(folder: Path) -> None:
    _rewrite(folder, format=2)
    with pytest.raises(RecordError, match="has format 2, this version reads 1"):
        load(folder)


def test_missing_keys_and_columns_are_named(folder: Path) -> None:
    pd.read_parquet(folder / "results.parquet").drop(columns="verdict").to_parquet(folder / "results.parquet")
    with pytest.raises(RecordError, match="lacks the columns verdict"):
        load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({key: manifest[key] for key in manifest if key != "tiers"}))
    with pytest.raises(RecordError, match="lacks tiers"):
        load(folder)


def test_repeated_rows_count_once_and_contradicting_ones_are_refused(folder: Path) -> None:
    file = folder / "results.parquet"
    results = pd.read_parquet(file)
    pd.concat([results, results[:5]]).to_parquet(file)
    assert len(load(folder).results) == len(results)
    pd.concat([results, results[:1].assign(verdict="truncated")]).to_parquet(file)
    with pytest.raises(RecordError, match="differing rows for the same attempt: base / q00 / 0"):
        load(folder)


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("cell", "stranger", "cells that manifest.json does not plan: stranger"),
        ("verdict", "maybe", "verdicts other than .*: maybe"),
        ("tier", "hard", "questions in more than one tier: q00"),
        ("tier", "all", "rename it"),
    ],
)
def test_contradictions_are_refused(folder: Path, column: str, value: str, complaint: str) -> None:
    file = folder / "results.parquet"
    results = pd.read_parquet(file)
    results.loc[0, column] = value
    results.to_parquet(file)
    with pytest.raises(RecordError, match=complaint):
        load(folder)


def test_cells_and_manifest_must_agree(folder: Path) -> None:
    file = folder / "cells.parquet"
    pd.read_parquet(file)[:1].to_parquet(file)
    with pytest.raises(RecordError, match="name different cells"):
        load(folder)


def test_a_tier_that_only_the_results_know_comes_last(folder: Path) -> None:
    _rewrite(folder, tiers=["hard"])
    assert load(folder).tiers == ("hard", "easy")
