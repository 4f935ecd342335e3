"""Each filter of a corpus drops and counts what it should, alone, and is part of the key of a cell."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ablation.data.corpus.pool import read_trajectories
from ablation.data.corpus.sift import read_kept
from ablation.data.source import pinned_cells
from ablation.data.tokenizer import load_tokenizer, prompt_ids
from ablation.jobs.run.pipeline import run_cell
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from tests.conftest import openr1_row, write_lines

CellOf = Callable[..., Cell]
UNFILTERED = ("corpus.filters.decontaminate=off",)


@pytest.fixture
def sifted(cell_of: CellOf, tmp_path: Path) -> Callable[..., tuple[list[str], dict[str, int]]]:
    """The ids that are kept of some rows, and the funnel."""

    def sift(rows: Sequence[dict[str, Any]], *overrides: str) -> tuple[list[str], dict[str, int]]:
        path = write_lines(tmp_path / "c.jsonl", rows)
        cell = cell_of(f"corpus.source.path={path}", *UNFILTERED, *overrides)
        folder = run_cell(cell, Store(tmp_path / "store"), last="sift")["sift"]
        return read_kept(folder)["id"].tolist(), json.loads((folder / "funnel.json").read_text())

    return sift


Sifted = Callable[..., tuple[list[str], dict[str, int]]]


def test_either_checker_and_completeness_are_counted_apart(sifted: Sifted) -> None:
    rows = [
        openr1_row(0, correctness_math_verify=[False, False], correctness_llama=[True, False]),
        openr1_row(1, is_reasoning_complete=[True, False]),
        openr1_row(2, generations=["  ", "fine"]),
    ]
    kept, funnel = sifted(rows)
    assert kept == ["row-0#0", "row-1#0", "row-2#1"]
    assert funnel == {"rows": 3, "generations": 6, "not_empty": 5, "right": 4, "complete": 3}


def test_duplicates_are_dropped_by_text_and_by_id(sifted: Sifted) -> None:
    rows = [
        openr1_row(0, problem="Find  $x$.", generations=["It is 7.", "it is  7."]),
        openr1_row(1, problem="find x", generations=["It is 7.", "Seven."]),
        openr1_row(2, uuid="row-1", problem="another"),
    ]
    kept, funnel = sifted(rows, "corpus.filters.duplicates=drop")
    assert kept == ["row-0#0", "row-1#1"]
    assert (funnel["complete"], funnel["distinct"]) == (6, 2)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [("first", ["row-0#0", "row-1#0"]), ("shortest", ["row-0#1", "row-1#0"]), ("longest", ["row-0#0", "row-1#1"])],
)
def test_one_trajectory_a_problem_by_a_stated_rule(sifted: Sifted, rule: str, kept: list[str]) -> None:
    rows = [openr1_row(0, generations=["so so so", "so so"]), openr1_row(1, generations=["so", "so so"])]
    found, funnel = sifted(rows, f"corpus.filters.per_problem={rule}")
    assert found == kept
    assert funnel["one_a_problem"] == 2


def test_each_style_keeps_one_trajectory_of_a_problem(sifted: Sifted) -> None:
    rows = [openr1_row(0, generation_styles=["r1", "gemini"])]
    assert len(sifted(rows, "corpus.filters.per_problem=first")[0]) == 2


def test_what_exceeds_the_block_is_dropped_before_one_is_chosen(sifted: Sifted) -> None:
    rows = [openr1_row(0, problem="Find x.", generations=["so " * 30, "so"])]
    kept, funnel = sifted(
        rows, "corpus.filters.too_long=drop", "corpus.filters.per_problem=first", "train.block_tokens=24"
    )
    assert kept == ["row-0#1"]
    assert (funnel["complete"], funnel["fits_block"], funnel["one_a_problem"]) == (2, 1, 1)
    assert sifted(rows, "train.block_tokens=24")[0] == ["row-0#0", "row-0#1"]


def test_the_questions_of_the_sweep_are_taken_out(cell_of: CellOf, tmp_path: Path) -> None:
    asked = json.loads(Path(str(_benchmark(cell_of()))).read_text().splitlines()[0])
    rows = [
        openr1_row(0, problem=f"${asked['problem'].upper()}$"),
        openr1_row(1, problem=asked["problem"] + " Say how."),
        openr1_row(2),
    ]
    cell = cell_of(f"corpus.source.path={write_lines(tmp_path / 'c.jsonl', rows)}")
    folder = run_cell(cell, Store(tmp_path / "store"), last="sift")["sift"]
    assert read_kept(folder)["id"].tolist() == ["row-2#0", "row-2#1"]
    hits = [json.loads(line) for line in (folder / "hits.jsonl").read_text().splitlines()]
    assert [(hit["id"], hit["question"], hit["kind"]) for hit in hits] == [
        ("row-0#0", str(asked["id"]), "exact"),
        ("row-1#0", str(asked["id"]), "ngrams"),
    ]


def _benchmark(cell: Cell) -> Path:
    from ablation.data.source import local_path

    found = local_path(cell.benchmark.source)
    assert found is not None
    return found


def test_every_benchmark_of_a_sweep_counts_in_every_cell_and_in_its_key(cell_of: CellOf) -> None:
    one, other = cell_of(), cell_of("benchmark=mini_candidates")
    together = pinned_cells([one, other])
    selections = [addresses(cell)["select"].digest for cell in together]
    assert selections[0] == selections[1]
    assert selections[0] != addresses(one)["select"].digest
    assert [pinned_cells([cell])[0].key for cell in (one, other)] == [one.key, other.key]
    off = [cell_of("benchmark=mini_candidates", *UNFILTERED), cell_of(*UNFILTERED)]
    assert [cell.key for cell in pinned_cells(off)] == [cell.key for cell in off]


@pytest.mark.parametrize(
    ("override", "moves"),
    [
        ("corpus.filters.duplicates=drop", True),
        ("corpus.filters.share=0.6", True),
        ("corpus.filters.per_problem=first", True),
        ("corpus.keep=all", True),
        ("train.block_tokens=256", False),
        ("benchmark.tiers=null", False),
    ],
)
def test_filters_move_the_selection_and_nothing_else_does(cell_of: CellOf, override: str, moves: bool) -> None:
    plain, changed = addresses(cell_of()), addresses(cell_of(override))
    assert (plain["select"].digest != changed["select"].digest) == moves
    assert (plain["pool"].digest != changed["pool"].digest) == (override == "corpus.keep=all")


def test_the_pool_holds_what_the_model_is_trained_on(cell_of: CellOf, tmp_path: Path) -> None:
    """Byte for byte what the template makes of the conversation, as the trainer would encode it."""
    rows = [
        openr1_row(number, problem=f"Find the sum of {number} and 5.", generations=["so it is 7", "so 7 so"])
        for number in range(3)
    ]
    cell = cell_of(f"corpus.source.path={write_lines(tmp_path / 'c.jsonl', rows)}")
    pool = run_cell(cell, Store(tmp_path / "store"), last="pool")["pool"]
    tokenizer = load_tokenizer(cell.model)
    found = read_trajectories(pool, [5, 0, 3])
    assert [one.problem for one in found] == [rows[2]["problem"], rows[0]["problem"], rows[1]["problem"]]
    for one in found:
        turns = [{"role": "user", "content": one.problem}, {"role": "assistant", "content": one.generation}]
        whole: Any = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)
        assert [*one.prompt_ids, *one.answer_ids] == list(whole["input_ids"])
        assert list(one.prompt_ids) == prompt_ids(tokenizer, one.problem)
