"""Corpora in the schemas in which they are published, and every way in which a row can be wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import constants

from ablation.data.corpus.chat_template import Renderer
from ablation.data.corpus.columns import Generation
from ablation.data.corpus.generations import read_generations
from ablation.data.rows import read_rows
from ablation.data.source import commit_of, pinned, pinned_cells
from ablation.data.tokenizer import load_tokenizer
from ablation.errors import DataError
from ablation.specs import Corpus, Source
from ablation.specs.cell import Cell
from tests.conftest import ROOT, openr1_row, write_lines

CellOf = Callable[..., Cell]
COMMIT = "e4e141ec9dea9f8326f4d347be56105859b2bd68"


def shipped(name: str, **changes: Any) -> Corpus:
    """A corpus of conf/corpus, read from elsewhere."""
    content = yaml.safe_load((ROOT / f"conf/corpus/{name}.yaml").read_text())
    return Corpus.model_validate_json(json.dumps({**content, **changes}))


def local(name: str, path: Path, **changes: Any) -> Corpus:
    return shipped(name, source={"path": str(path)}, **changes)


def generations(corpus: Corpus) -> list[Generation]:
    return [one for row in read_generations(corpus) for one in row]


S1K_ROW = {
    "question": "why", "solution": "42", "cot_type": "math", "source_type": "qq8933/AIME_1983_2024", "metadata": "{}",
    **{f"{who}_{part}": f"{who} {part}" for who in ("deepseek", "gemini") for part in ("thinking_trajectory", "attempt")},
    **dict.fromkeys(("deepseek_grade", "gemini_grade"), "Yes"), "deepseek_grade_reason": "", "gemini_grade_reason": "",
}  # fmt: skip


def test_s1k_has_both_styles_of_one_question(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{**S1K_ROW, "gemini_grade": "No"}])
    r1, gemini = generations(local("s1k", path))
    assert (r1.id, r1.problem, r1.style, r1.right, r1.source) == ("s1k-0#r1", "why", "r1", True, S1K_ROW["source_type"])
    assert (gemini.id, gemini.problem, gemini.style, gemini.right) == ("s1k-0#gemini", "why", "gemini", False)
    assert gemini.text == "gemini thinking_trajectory\n\ngemini attempt"


def test_the_first_s1k_keeps_its_thoughts_in_lists(tmp_path: Path) -> None:
    row = {"question": "why", "thinking_trajectories": ["thought"], "attempt": "42", "cot": None, "source_type": "x"}
    [one] = generations(local("s1k_gemini", write_lines(tmp_path / "s.jsonl", [row])))
    assert (one.style, one.text, one.source) == ("gemini", "thought\n\n42", "x")
    path = write_lines(tmp_path / "t.jsonl", [{**row, "thinking_trajectories": ["a", "b"]}])
    with pytest.raises(DataError, match="row 0, column thinking_trajectories: 2 texts where one is joined"):
        generations(local("s1k_gemini", path))


def test_limo_is_read(tmp_path: Path) -> None:
    [one] = generations(
        local("limo", write_lines(tmp_path / "l.jsonl", [{"question": "q", "solution": "s", "answer": 7}]))
    )
    assert (one.id, one.problem, one.text, one.style, one.right) == ("row-0#mixed", "q", "s", "mixed", True)


def test_any_table_is_read_by_a_map_of_its_columns(tmp_path: Path) -> None:
    rows = [{"no": 5, "q": "1 + 1", "kind": "sum", "tries": ["2", "3"], "ok": [True, False]}]
    texts = {"text": "tries", "right": "ok"}
    columns = {"problem": "q", "id": "no", "problem_type": "kind", "trajectories": {"r1": texts}}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    found = generations(local("table", tmp_path, columns=columns))
    assert [(one.id, one.text, one.right, one.problem_type) for one in found] == [
        ("5#r10", "2", True, "sum"),
        ("5#r11", "3", False, "sum"),
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ok": [True]}, "row 1, column ok: 1 values for 2 generations"),
        ({"ok": None}, "row 1, column ok: given None; allowed: true, false"),
        ({"tries": None}, "row 1, column tries: Input should be a text, given 'None'"),
        ({"kind": "diference"}, "row 1, column kind: unknown problem_type 'diference'.*did you mean 'difference'"),
    ],
)
def test_a_wrong_row_of_a_table_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    row = {"q": "1 + 1", "kind": "sum", "tries": ["2", "3"], "ok": [True, False]}
    columns = {"problem": "q", "problem_type": "kind", "trajectories": {"r1": {"text": "tries", "right": "ok"}}}
    path = write_lines(tmp_path / "t.jsonl", [row, {**row, **change}])
    with pytest.raises(DataError, match=named):
        generations(local("table", path, columns=columns, problem_types=["sum", "difference"]))


def test_a_column_that_the_table_lacks_is_named_with_those_it_has(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.jsonl", [{"problems": "1 + 1", "solution": "2"}])
    with pytest.raises(
        DataError, match="row 0, column problem: Field required; the table has: problems, solution; did you"
    ):
        generations(local("table", path))


def test_an_unknown_problem_type_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", [openr1_row(0), openr1_row(1, problem_type="Algebr")])
    with pytest.raises(
        DataError, match=r"row 1, column problem_type: unknown problem_type 'Algebr'.*did you mean 'Algebra'"
    ):
        generations(local("openr1_math", path))
    assert generations(local("openr1_math", path, problem_types=["Algebra", "Algebr"]))


@pytest.mark.parametrize(
    ("name", "row", "change", "named"),
    [
        ("limo", {"question": "q", "solution": "a\nb"}, {"solution": 7}, "row 1, column solution: Input should be a text"),
        ("s1k", S1K_ROW, {"deepseek_attempt": {"a": 1}}, "row 1, column deepseek_attempt: Input should be a text"),
        ("openr1_math", openr1_row(0), {"uuid": "b", "generations": "one text"}, "row 1, column generations"),
        ("openr1_math", openr1_row(0), {"uuid": "b", "problem": 3}, "row 1, column problem"),
        ("gsm8k", {"question": "q", "answer": "2\n#### 2"}, {"answer": 2}, "row 1, column answer"),
    ],
)  # fmt: skip
def test_a_row_of_the_wrong_type_is_named(
    tmp_path: Path, name: str, row: dict[str, Any], change: dict[str, Any], named: str
) -> None:
    path = write_lines(tmp_path / "c.jsonl", [row, {**row, **change}])
    with pytest.raises(DataError, match=named):
        generations(local(name, path))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache as the hub's client leaves it: OpenR1-Math-220k's three subsets, a few rows each, and `main` at its commit."""
    repo = tmp_path / "hub" / "datasets--open-r1--OpenR1-Math-220k"
    snapshot = repo / "snapshots" / COMMIT
    subsets = {"default": "data", "extended": "extended", "all": "all"}
    for number, folder in enumerate(subsets.values()):
        (snapshot / folder).mkdir(parents=True)
        table = pa.Table.from_pylist([openr1_row(row) for row in range(number + 1)])
        pq.write_table(table, snapshot / folder / "train-00000-of-00001.parquet")
    configs = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{at}/train-*"}]}
        for name, at in subsets.items()
    ]
    (snapshot / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n# a card\n")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


@pytest.mark.parametrize(("subset", "rows"), [("default", 1), ("extended", 2), ("all", 3)])
def test_a_commit_that_was_downloaded_needs_no_hub(hub: Path, subset: str, rows: int) -> None:
    source = {"hub": "open-r1/OpenR1-Math-220k", "revision": COMMIT, "subset": subset, "split": "train"}
    assert hub.is_dir()
    assert len(list(read_generations(shipped("openr1_math", source=source)))) == rows


def test_json_lines_of_a_hub_are_rows_as_they_were_written(hub: Path) -> None:
    """`datasets` hands out the text of a column whose rows are of several types."""
    (hub / "data/train-00000-of-00001.parquet").unlink()
    written = [{"problem": "p", "solution": "a\nb"}, {"problem": "q", "solution": ["x"]}]
    write_lines(hub / "data/train-00000-of-00001.jsonl", written)
    source = Source(hub="open-r1/OpenR1-Math-220k", revision=COMMIT, subset="default", split="train")
    assert [row for _, row in read_rows(source, "corpus")] == written


def test_a_branch_is_pinned_to_its_commit(hub: Path) -> None:
    assert hub.is_dir()
    corpus = shipped("openr1_math", source={"hub": "open-r1/OpenR1-Math-220k", "revision": "main", "subset": "all"})
    assert pinned(corpus.source).revision == COMMIT


def test_a_revision_that_does_not_exist_is_refused_before_anything_runs(cell_of: CellOf) -> None:
    with pytest.raises(DataError, match="revision='no-such': not a commit, and it cannot be looked up"):
        commit_of("open-r1/OpenR1-Math-220k", "no-such", "dataset")
    source = {"hub": "open-r1/OpenR1-Math-220k", "revision": "0" * 40, "subset": "all"}
    with pytest.raises(DataError, match=f"open-r1/OpenR1-Math-220k at revision {'0' * 40} cannot be read"):
        list(read_generations(shipped("openr1_math", source=source)))
    unresolved = cell_of().model_copy(update={"corpus": shipped("limo")})
    assert pinned_cells([unresolved], strict=False)[0].corpus == shipped("limo").model_copy(
        update={"filters": pinned_cells([unresolved], strict=False)[0].corpus.filters}  # type: ignore[union-attr]
    )
    with pytest.raises(DataError, match="give the commit"):
        pinned_cells([unresolved])


def test_a_template_that_does_not_keep_the_trajectory_is_refused(cell_of: CellOf) -> None:
    tokenizer = load_tokenizer(cell_of().model)
    whole = tokenizer.chat_template
    assert isinstance(whole, str)
    tokenizer.chat_template = whole.replace("message['content']", "message['content'].split('</think>')[-1]")
    assert tokenizer.chat_template != whole
    with pytest.raises(DataError, match=r"changes what the assistant says .seen on t."):
        Renderer(tokenizer).conversations(["1 + 1"], ["hmm </think> 2"], ["t"])
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    with pytest.raises(DataError, match="must hold the end token"):
        Renderer(tokenizer)
