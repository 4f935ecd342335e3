"""Records of others become studies that the analysis and the report treat like any other, and ours go out and come back.

Walks through study, analysis, report, cli.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ablation.analysis import analyse, load
from ablation.analysis.records.load import Study
from ablation.cli.__main__ import main
from tests.analysis.studies import BASE, build, save, trained
from tests.conftest import ROOT, write_lines

LADDER = ROOT / "tests/data/ladder_figure1.csv"
LADDER_MAP = ROOT / "tests/data/ladder_figure1.yaml"


@pytest.fixture
def taken(tmp_path: Path) -> Callable[..., Study]:
    """Import a source and load the study that it became."""

    def take(source: Path, columns: object = None, name: str = "taken") -> Study:
        arguments = ["import", str(source), "--study", name, "--outputs", str(tmp_path / "outputs")]
        if columns is not None:
            (tmp_path / "map.yaml").write_text(yaml.safe_dump(columns))
            arguments += ["--columns", str(tmp_path / "map.yaml")]
        assert main(arguments) == 0
        return load(tmp_path / "outputs" / name)

    return take


@pytest.fixture
def refused(taken: Callable[..., Study], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Import a source that cannot be imported: what is said of it."""

    def refuse(*arguments: Any) -> str:
        with pytest.raises(SystemExit) as stopped:
            taken(*arguments)
        assert stopped.value.code == 2
        return capsys.readouterr().err

    return refuse


def rendered(study_folder: Path) -> str:
    assert main(["report", study_folder.name, "--outputs", str(study_folder.parent)]) == 0
    return (study_folder / "report/index.html").read_text()


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs with the counts of the published figure in them."""
    outputs = tmp_path_factory.mktemp("imported") / "outputs"
    told = ["--study", "ladder", "--columns", str(LADDER_MAP), "--outputs", str(outputs)]
    assert main(["import", str(LADDER), *told]) == 0
    return outputs


@pytest.fixture
def ladder(imported: Path, tmp_path: Path) -> Path:
    """The counts of the published figure, imported: a copy to do with as one likes."""
    return Path(shutil.copytree(imported, tmp_path / "outputs")) / "ladder"


def test_the_published_counts_give_the_published_means(ladder: Path) -> None:
    study = load(ladder)
    metrics = analyse(study).metrics.set_index("cell")
    published = {  # percent by tier: easy, medium, hard, exh, all
        "base": (71.9, 13.75, 1.0, 0, 14.6),
        "small_sft": (100, 89.4, 29.7, 0, 55.0),
        "large": (100, 98.3, 76.4, 4.2, 77.2),
    }
    assert study.tiers == ("easy", "medium", "hard", "exh")
    for cell, means in published.items():
        found = metrics.loc[cell, [f"avg_{scope}" for scope in (*study.tiers, "all")]].to_numpy(dtype=float)
        np.testing.assert_allclose(100 * found, np.array(means), atol=0.051)


def test_the_published_counts_have_a_report(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = rendered(ladder)
    assert "small_sft" in page and "base model" in page and "were imported" in page
    assert "Training raised" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["status", "ladder", "--outputs", str(ladder.parent)])
    assert "was imported: it has no cells to run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sizes", "differing"),
    [
        ([], [4, 11, 11, 4], ["70: label hard, rule medium"]),
        (["--medium-above", "0.7"], [4, 8, 14, 4], ["78: label medium, rule hard", "82: label medium, rule hard"]),
        (["--exh-over", "each"], [4, 11, 12, 3], ["70: label hard", "89: label exh, rule hard"]),
    ],
)
def test_the_rule_reproduces_the_labels_but_for_one(
    options: list[str], sizes: list[int], differing: list[str], ladder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ladder.parent / "tiers.yaml"
    command = ["tiers", "ladder", "--outputs", str(ladder.parent), "--small", "small_sft", "--output", str(file)]
    assert main([*command, *options]) == 0
    told, members = capsys.readouterr().out, yaml.safe_load(file.read_text())
    assert list(members) == ["easy", "medium", "hard", "exh"]
    assert [len(ids) for ids in members.values()] == sizes
    assert all(line in told and line in file.read_text() for line in differing)
    labels = load(ladder).results.groupby("tier")["question"].nunique()
    assert [labels[tier] for tier in members] == [4, 10, 12, 4]


def test_tiers_of_any_benchmark_come_from_the_counts_of_a_studys_cells(tmp_path: Path) -> None:
    """Roles by N: none is the base, few are small, many are large; questions of other names, in one tier."""
    rates = {"reached": (4, 4, 4), "mostly": (0, 3, 4), "rarely": (0, 1, 3), "never": (0, 0, 0)}
    cells = [BASE, trained(count=1000), trained(count=5000)]
    study = build(
        cells, lambda cell, q: list(rates.values())[q][[0, 1000, 5000].index(cell["count"])], questions={"one": 4}
    )
    named = study.results.assign(
        question=study.results["question"].map(dict(zip(study.results["question"].unique(), rates, strict=True)))
    )
    save(Study(study.manifest, named, study.cells), tmp_path / "tiny")
    command = [
        "tiers",
        "tiny",
        "--outputs",
        str(tmp_path),
        "--output",
        str(tmp_path / "t.yaml"),
        "--small-count",
        "1000",
    ]
    assert main(command) == 0
    assert yaml.safe_load((tmp_path / "t.yaml").read_text()) == {
        "easy": ["reached"], "medium": ["mostly"], "hard": ["rarely"], "exh": ["never"],
    }  # fmt: skip


def test_tiers_say_which_role_is_missing(ladder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, named in (
        ([], "no cell of role small"),
        (["--small", "tiny"], "no cell tiny in ladder; it has: base"),
    ):
        with pytest.raises(SystemExit):
            main(["tiers", "ladder", "--outputs", str(ladder.parent), "--output", "t.yaml", *options])
        assert named in capsys.readouterr().err


def test_a_long_table_has_factors_where_it_names_them(taken: Callable[..., Study], tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [
            {
                "q": f"{question:03}",
                "who": f"m{size}",
                "right": question % 3,
                "of": 2,
                "N": size,
                "how": "r1" if size else None,
            }
            for size in (0, 50, 100)
            for question in range(8)
        ]
    )
    frame.to_csv(tmp_path / "long.csv", index=False)
    columns = {
        "question": "q",
        "model": "who",
        "correct": "right",
        "n": "of",
        "factors": {"count": "N", "style": "how"},
    }
    study = taken(tmp_path / "long.csv", columns)
    assert study.results["question"].unique().tolist()[:2] == ["000", "001"]
    assert study.cells["count"].tolist() == [0, 50, 100]
    assert study.tiers == ("questions",) and study.n_attempts == 2
    assert analyse(study).metrics["avg_all"].tolist() == pytest.approx([(0 + 0.5 + 1 + 0 + 0.5 + 1 + 0 + 0.5) / 8] * 3)
    assert rendered(tmp_path / "outputs/taken")


def test_a_question_with_fewer_attempts_lacks_them(taken: Callable[..., Study], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("question,model,correct,n\n1,a,2,4\n2,a,1,3\n")
    study = taken(tmp_path / "t.csv")
    assert study.planned == {"a": 8} and len(study.results) == 7
    assert analyse(study, partial=True).metrics["avg_all"].isna().all()


@pytest.mark.parametrize(
    ("table", "columns", "named"),
    [
        (
            "question,model,right,n\n1,a,1,2\n",
            None,
            "row 0, column correct: missing; the table has question, model, right",
        ),
        ("question,model,correct,n\n1,a,1,2\n1,a,1,2\n", None, "row 1: question 1 of model a occurs twice"),
        ("question,model,correct,n\n1,a,1,2\n2,a,3,2\n", None, "row 1, column correct: 3 of 2 attempts cannot be"),
        ("question,model,correct,n\n1,a,1.5,2\n", None, "row 0, column correct: '1.5' is not a whole number"),
        ("question,model,correct,n\n1,a,inf,2\n", None, "row 0, column correct: 'inf' is not a whole number"),
        ("question,model,correct,n\n1,a,1,1e999\n", None, "row 0, column n: '1e999' is not a whole number"),
        ("question,model,correct,n\n1,a,nan,2\n", None, "row 0, column correct: 'nan' is not a whole number"),
        ("question,model,correct,n\n1,a,,2\n", None, "row 0, column correct: empty"),
        ("question,model,correct,n\n", None, "no rows"),
        (
            "question,model,correct,n,tier\n1,a,1,2,x\n1,b,1,2,y\n",
            {"tier": "tier"},
            "row 1, column tier: question 1 is also",
        ),
        ("question,model,correct,n\n1,a,1,2\n", {"quesion": "q"}, "map.yaml: quesion: .*keys are question, model"),
        ("question,model,correct,n\n1,a,1,2\n", {"n": 0}, "map.yaml: n"),
        (
            "question,model,correct,n\n1,a,1,2\n",
            {"tiers": "package:ablation.data.benchmark/shipped/aime24_tiers.yaml"},
            "questions in no tier: 1",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    table: str, columns: object, named: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(table)
    assert re.search(named, refused(tmp_path / "t.csv", columns))


@pytest.mark.parametrize("name", ["store", "wandb", "a/b", "..", ""])
def test_a_study_is_named_like_one(name: str, refused: Callable[..., str]) -> None:
    assert f"--study: given {name!r}" in refused(LADDER, yaml.safe_load(LADDER_MAP.read_text()), name)


def authors_row(identifier: int, matches: list[int], **more: Any) -> dict[str, Any]:
    """A row as the study's authors keep them: lm-evaluation-harness, task aime24_nofigures_agg8."""
    texts = [f"say {one}" for one in matches]
    return {
        "doc_id": identifier - 60,
        "doc": {"id": identifier, "problem": f"p{identifier}", "solution": "s", "answer": "025", "url": "u"},
        "target": "025",
        "arguments": {"gen_args_0": {"arg_0": f"p{identifier}", "arg_1": {"until": [], "max_gen_toks": 32768}}},
        "resps": [texts], "filtered_resps": [texts], "filter": "all", "metrics": ["exact_match"],
        "doc_hash": "…", "prompt_hash": "…", "target_hash": "…",
        "exact_match": matches[0], "extracted_answers": ["25" if one else "7" for one in matches], "exact_matches": matches,
        "cov@2": 1, "maj@2": 1, **more,
    }  # fmt: skip


def test_the_authors_result_files_become_a_study(taken: Callable[..., Study], tmp_path: Path) -> None:
    for model, passes in (("openr1_algebra_1k_lg_0", [1, 1, 0, 1]), ("s1.1-32B", [0, 0, 1, 0])):
        folder = tmp_path / "results" / model / "checkpoint-155"
        folder.mkdir(parents=True)
        rows = [authors_row(identifier, passes) for identifier in range(60, 90)]
        write_lines(folder / "samples_aime24_nofigures_agg8_2025-03-01.jsonl", rows)
    factors = {"category": "algebra", "count": 1000, "length": "long", "style": "r1", "seed": 0}
    columns = {
        "tiers": "package:ablation.data.benchmark/shipped/aime24_tiers.yaml",
        "models": {"openr1_algebra_1k_lg_0": {"factors": factors}},
    }
    study = taken(tmp_path / "results", columns)
    assert study.tiers == ("easy", "medium", "hard", "exh")
    assert analyse(study).metrics["avg_all"].tolist() == [0.75, 0.25]
    assert study.cells["category"].tolist()[0] == "algebra" and pd.isna(study.cells["category"].tolist()[1])
    assert study.results["extracted"].tolist()[:4] == ["25", "25", "7", "25"]
    texts = pd.read_parquet(tmp_path / "outputs/taken/completions.parquet")
    assert texts["text"].tolist()[:4] == ["say 1", "say 1", "say 0", "say 1"]
    assert len(study.manifest["imported"]) == 2
    assert "s1.1-32B" in rendered(tmp_path / "outputs/taken")


def test_a_log_of_the_harness_itself_has_one_attempt_and_filters(
    taken: Callable[..., Study], refused: Callable[..., str], tmp_path: Path
) -> None:
    rows = [
        {
            "doc_id": place,
            "doc": {"question": "q"},
            "target": "7",
            "resps": [["t"]],
            "filter": name,
            "exact_match": float(hit),
        }
        for place in range(6)
        for name, hit in (("strict-match", 0), ("flexible-extract", 1))
    ]
    log = write_lines(tmp_path / "samples_gsm8k.jsonl", rows)
    assert re.search(
        r"row 1, column filter: rows of several filters \(flexible-extract, strict-match\); name one", refused(log)
    )
    study = taken(log, {"filter": "flexible-extract"}, "flexible")
    assert study.planned == {tmp_path.name: 6} and analyse(study).metrics["avg_all"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{", "row 1: not JSON"),
        ("\udcff", "row 1: not JSON .*can't decode byte 0xff"),
        ("[1]", "row 1: not an object"),
        (json.dumps(authors_row(60, [1, 0])), "row 1, column doc.id: ids occur twice: 60"),
        (json.dumps(authors_row(61, [1, 2])), "row 1, column exact_matches: 2 is neither 0 nor 1"),
        (json.dumps(authors_row(61, [1], exact_matches=[])), "row 1, column exact_matches: missing or empty"),
        (json.dumps({"doc_id": 1, "filter": "all"}), "row 1, column exact_match: missing"),
        (json.dumps({"exact_match": 1, "filter": "all"}), "row 1, column doc.id: missing; the row has exact_match"),
        (
            json.dumps(authors_row(61, [1, 0], extracted_answers=["1"])),
            "row 1, column extracted_answers: 1 values for 2 attempts",
        ),
        (
            json.dumps(authors_row(61, [1, 0], verdicts=["right", "wrong"])),
            "row 1, column verdicts: right is none of correct",
        ),
    ],
)
def test_a_log_that_cannot_be_read_names_row_and_column(
    row: str, named: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes((json.dumps(authors_row(60, [1, 0])) + f"\n{row}\n").encode(errors="surrogateescape"))
    assert re.search(named, refused(log))


def test_two_logs_of_one_model_are_not_mixed(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "logs/m").mkdir(parents=True)
    for task in ("a", "b"):
        write_lines(tmp_path / f"logs/m/samples_{task}.jsonl", [authors_row(60, [1])])
    assert "two logs of m: m/samples_a.jsonl and m/samples_b.jsonl" in refused(tmp_path / "logs")


def test_what_is_exported_is_imported_as_it_was(taken: Callable[..., Study], tmp_path: Path) -> None:
    ours = build([BASE, trained(), trained(style="gemini")], lambda cell, q: (q + cell["count"]) % 4)
    results = ours.results.assign(answer="25", extracted="25", evaluator="e1", grader="g1")
    results.loc[results["verdict"] == "wrong", "extracted"] = None
    results.loc[(results["verdict"] == "wrong") & (results["attempt"] == 3), "verdict"] = "truncated"
    save(Study(ours.manifest, results, ours.cells), tmp_path / "outputs/tiny")
    texts = results[["cell", "question", "attempt"]].assign(text=[f"text {place} ü" for place in range(len(results))])
    texts.to_parquet(tmp_path / "outputs/tiny/completions.parquet")
    assert (
        main(["export", "harness", "tiny", "--outputs", str(tmp_path / "outputs"), "--output", str(tmp_path / "out")])
        == 0
    )

    back = taken(tmp_path / "out", {"tier": "tier"})
    columns = ["cell", "question", "tier", "attempt", "verdict", "answer", "extracted", "evaluator", "grader"]
    as_rows = [
        sorted(map(repr, frame[columns].astype(object).where(frame[columns].notna(), None).to_numpy().tolist()))
        for frame in (results, back.results)
    ]
    assert as_rows[0] == as_rows[1]
    again = pd.read_parquet(tmp_path / "outputs/taken/completions.parquet")
    assert sorted(map(tuple, again.to_numpy().tolist())) == sorted(map(tuple, texts.to_numpy().tolist()))
    summary = json.loads(next((tmp_path / "out/base").glob("results_*.json")).read_text())["results"]["tiny"]
    assert summary["avg@4,all"] == pytest.approx(
        (ours.results[ours.results["cell"] == "base"]["verdict"] == "correct").mean()
    )


def test_a_study_that_ran_here_is_not_overwritten(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "outputs/taken").mkdir(parents=True)
    (tmp_path / "outputs/taken/plan.json").write_text("{}")
    assert "is a study that was run; choose another --study NAME" in refused(
        LADDER, yaml.safe_load(LADDER_MAP.read_text())
    )
