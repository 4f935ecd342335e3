"""The training sets of a sweep, as numbers and as a page, and a cell's set as a dataset of its own, agree with the records."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest

from ablation.cli.__main__ import main
from ablation.data.corpus.audit import Audit, Selection
from ablation.data.corpus.select import ids_digest, read_chosen, read_selection
from ablation.data.tokenizer import load_tokenizer
from ablation.jobs.run.pipeline import run_cell
from ablation.report.audit_page import MATRIX_LIMIT, nearest, render_audit
from ablation.specs.cell import Cell, addresses
from ablation.store.store import Store
from tests.conftest import openr1_row, write_lines
from tests.studies import planned

CellOf = Callable[..., Cell]


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    """A sweep over two counts and two styles of 20 problems, one of which is a question of the benchmark."""
    rows = [
        openr1_row(
            number,
            generation_styles=["r1", "gemini"],
            generations=[f"{'first ' * (1 + number % 7)}\\boxed{{ 7 }}", f"{'second ' * (1 + number)}\\boxed{{ 7 }}"],
            problem_type="Geometry" if number % 4 == 0 else "Algebra",
        )
        for number in range(20)
    ]
    rows[3]["problem"] = "What is <b>7</b> times 8, and why?"
    write_lines(tmp_path / "b.jsonl", [{"id": "<q>", "problem": "what is <b> 7 </b> times 8 and why", "answer": "56"}])
    (tmp_path / "t.yaml").write_text('{"easy": ["<q>"]}')
    return [
        "sweep=smoke", f"outputs={tmp_path}/out", "tracker=none", f"benchmark.source.path={tmp_path}/b.jsonl", "category=all",
        f"benchmark.tiers.path={tmp_path}/t.yaml", f"corpus.source.path={write_lines(tmp_path / 'c.jsonl', rows)}",
        "count.size=5,20", "corpus.filters.decontaminate=off",
    ]  # fmt: skip


def test_an_audit_counts_what_the_cells_would_train_on(
    overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *overrides, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = [one["name"] for one in told["selections"]]
    assert sorted((one["count"], one["problems"]) for one in told["selections"]) == [(5, 5), (5, 5), (20, 20), (20, 20)]
    by_name = dict(zip(names, told["selections"], strict=True))
    for row, one in enumerate(told["selections"]):
        assert told["shared"][row][row] == one["count"] == sum(one["categories"].values()) == one["funnel"]["chosen"]
        assert one["sources"] == {"test": one["count"]}
    # The same style at two counts is nested; two styles have no trajectory in common, and at N = 20 all problems.
    small, large = names.index("all-n5-normal-r1-d0"), names.index("all-n20-normal-r1-d0")
    other = names.index("all-n20-normal-gemini-d0")
    assert told["shared"][small][large] == 5
    assert (told["shared"][large][other], told["shared_problems"][large][other]) == (0, 20)
    assert by_name["all-n20-normal-r1-d0"]["hits"] == [f"row-3#0: {tmp_path}/b.jsonl question <q> (exact, 1)"]
    page = (tmp_path / "out/smoke/audit/index.html").read_text()
    assert "&lt;q&gt;" in page
    assert "<q>" not in page
    assert not (tmp_path / "out/store/train").exists()


def test_the_page_s_numbers_are_those_of_the_chosen_texts(
    overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each computed anew from the texts, by other means."""
    assert main(["audit", *overrides, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    page = (tmp_path / "out/smoke/audit/index.html").read_text()
    plan = planned(tmp_path / "out", *overrides)
    trained = {addresses(cell)["select"].slug: cell for cell in plan.cells if not cell.is_base}
    tokenizer = load_tokenizer(next(iter(trained.values())).model)
    ids = {}
    for one in told["selections"]:
        paths = run_cell(trained[one["name"]], plan.store, last="select")
        chosen = read_selection(paths["select"], paths["pool"])
        ids[one["name"]] = {each.id for each in chosen}
        lengths = [len(tokenizer(each.generation, add_special_tokens=False)["input_ids"]) for each in chosen]
        assert one["tokens"] == {f"p{at}": np.quantile(lengths, at / 100) for at in (0, 10, 25, 50, 75, 90, 100)}
        assert one["categories"] == Counter(each.problem_type for each in chosen)
        assert (
            one["digest"]
            == hashlib.sha256("".join(f"{name}\n" for name in sorted(ids[one["name"]])).encode()).hexdigest()
        )
        assert [hit.split(":")[0] for hit in one["hits"]] == [each.id for each in chosen if "times 8" in each.problem]
        row = re.search(rf"<tr><th[^>]*>{one['name']}</th>(.*?)</tr>", page)
        assert row
        cells = re.findall(r">([^<]*)<", row[1])
        assert f"{np.quantile(lengths, 0.5):,.0f}" in cells
        assert one["digest"][:12] in cells
    names = [one["name"] for one in told["selections"]]
    assert told["shared"] == [[len(ids[row] & ids[column]) for column in names] for row in names]
    shared = len(ids[names[0]] & ids[names[1]])
    assert f"{names[0]} and {names[1]}: {shared} trajectories" in page
    assert told["questions"] == {"mini": 1}


def test_a_cell_audited_is_the_cell_that_runs(
    overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *overrides, "count.size=20", "style=r1"]) == 0
    told = capsys.readouterr().out
    plan = planned(
        tmp_path / "out", *[one for one in overrides if not one.startswith("count")], "count.size=20", "style=r1"
    )
    paths = run_cell(plan.cells[0], Store(tmp_path / "out/store"), last="select")
    digest = ids_digest(read_chosen(paths["select"])["id"])
    assert digest[:12] in told
    assert "all-n20-normal-r1-d0" in told


def test_the_page_is_safe_and_ends() -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[31m"
    one = Selection(
        hostile, (hostile,), 1, 1, dict.fromkeys(("p0", "p10", "p25", "p50", "p75", "p90", "p100"), 1.0), 1, {hostile: 1},
        {hostile: 1}, {"chosen": 1}, (hostile,), "0" * 64,
    )  # fmt: skip
    for count in (1, 2, MATRIX_LIMIT + 1):
        square = tuple(tuple(1 for _ in range(count)) for _ in range(count))
        page = render_audit(Audit(hostile, (one,) * count, square, square, 0, {hostile: 1}))
        assert "<script" not in page
        assert not {"\u202e", "\x1b"}.intersection(page)
        assert ("more than a readable matrix" in page) == (count > MATRIX_LIMIT)
        assert ("shares most with" in page) == (count > MATRIX_LIMIT)
        assert ("are the same set" in page) == (count > 1)
    few = tuple(tuple(int(row // 10 == column // 10) for column in range(count)) for row in range(count))
    assert nearest(Audit(hostile, (one,) * count, few, few, 0, {}))[0] == (hostile, [f"{hostile} (1)"] * 5, 4)
    assert "0 training sets" in render_audit(Audit("empty", (), (), (), 2, {}))


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_training_set_is_exported_for_other_trainers(
    form: str, overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(tmp_path / "out", *overrides)
    cell = next(one for one in plan.cells if one.slug.startswith("all-n5-normal-gemini"))
    folder = tmp_path / "exported"
    command = [
        "export",
        "train",
        cell.slug,
        "--outputs",
        str(plan.folder.parent),
        "--output",
        str(folder),
        "--form",
        form,
    ]
    assert main(command) == 0
    assert "5 trajectories of all-n5-normal-gemini" in capsys.readouterr().out
    found = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    paths = run_cell(cell, plan.store, last="select")
    chosen = read_selection(paths["select"], paths["pool"])
    assert found["id"] == [one.id for one in chosen]
    assert found["messages"][0] == [
        {"role": "user", "content": chosen[0].problem},
        {"role": "assistant", "content": chosen[0].generation},
    ]
    card = (folder / "README.md").read_text()
    assert cell.key in card
    assert ids_digest(one.id for one in chosen) in card
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert "is not an empty folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*command[:2], "all-n5", *command[3:]])
    assert "is the beginning of 2 trained cells" in capsys.readouterr().err
