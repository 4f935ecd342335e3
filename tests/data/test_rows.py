"""One reader for corpora and benchmarks: whatever the format, the same rows; whatever is wrong with a file, one sentence."""

import codecs
import csv
import gzip
import io
import json
import os
import random
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.data.benchmark import read_questions, read_tiers
from ablation.data.corpus.generations import read_generations
from ablation.data.hub_rows import Use
from ablation.data.rows import ENDINGS, read_rows
from ablation.errors import DataError
from ablation.specs import Benchmark, BenchmarkColumns, Corpus, CorpusColumns, Source, Texts

ROWS = [
    {"id": "033", "problem": "2024-01-01", "answer": "007"},
    {"id": "true", "problem": 'a "b", c\nd', "answer": "é"},
    {"id": "1e5", "problem": "null", "answer": "x" * 200_000},
]
USES: tuple[Use, ...] = get_args(Use)
EVERY_ENDING: tuple[str, ...] = tuple(ending for endings in ENDINGS.values() for ending in endings)


def rows_of(path: Path, use: Use = "corpus") -> list[Any]:
    return [row for _, row in read_rows(Source(path=str(path)), use)]


def as_text(rows: list[dict[str, Any]], ending: str) -> bytes:
    if ending.startswith((".csv", ".tsv")):
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]), delimiter="\t" if ending.startswith(".tsv") else ",")
        table.writeheader()
        table.writerows(rows)
        return text.getvalue().encode()
    is_list = ending.split(".")[1] == "json"
    content = json.dumps(rows, indent=1) if is_list else "".join(f"{json.dumps(row)}\n" for row in rows)
    return content.encode()


def packed(content: bytes, path: Path) -> Path:
    if path.suffix == ".zst":
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def written(rows: list[dict[str, Any]], path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    return packed(as_text(rows, "".join(path.suffixes)), path)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("ending", EVERY_ENDING)
def test_every_format_gives_the_same_rows_from_a_file_and_from_a_folder(ending: str, use: Use, tmp_path: Path) -> None:
    whole = written(ROWS, tmp_path / f"t{ending}")
    (tmp_path / "parts/inner").mkdir(parents=True)
    written(ROWS[:2], tmp_path / f"parts/a{ending}")
    written(ROWS[2:], tmp_path / f"parts/inner/b{ending}")
    assert rows_of(whole, use) == ROWS
    assert list(read_rows(Source(path=str(tmp_path / "parts")), use)) == [
        (f"{tmp_path / 'parts'}, row {number}", row) for number, row in enumerate(ROWS)
    ]


@pytest.mark.parametrize("ending", EVERY_ENDING)
def test_a_benchmark_and_a_corpus_can_be_the_same_file(ending: str, tmp_path: Path) -> None:
    rows = [{"id": "7", "problem": "p", "answer": "033"}, {"id": "8", "problem": "q", "answer": "1.50"}]
    source = Source(path=str(written(rows, tmp_path / f"t{ending}")))
    questions = read_questions(Benchmark(name="b", source=source))
    assert [(question.id, question.answer) for question in questions] == [("7", "033"), ("8", "1.50")]
    columns = CorpusColumns(id="id", problem="problem", trajectories={"r1": Texts(text="answer")})
    corpus = Corpus(name="c", reader="columns", keep="all", source=source, columns=columns)
    assert [generation.text for row in read_generations(corpus) for generation in row] == ["033", "1.50"]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".json", ".csv", ".tsv"])
def test_a_byte_order_mark_and_blank_lines_are_no_part_of_a_table(ending: str, use: Use, tmp_path: Path) -> None:
    path = tmp_path / f"t{ending}"
    path.write_bytes(codecs.BOM_UTF8 + b"\n\n" + as_text(ROWS, ending) + b"\n")
    assert rows_of(path, use) == ROWS


@given(
    st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
)
def test_any_objects_survive_json_lines(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    """A row of another type changes no other row, a text that looks like a date or a number stays a text."""
    path = tmp_path_factory.mktemp("rows") / "t.jsonl"
    path.write_bytes(as_text([{}, *rows], ".jsonl"))
    assert rows_of(path) == [{}, *rows]
    path.with_suffix(".json").write_bytes(as_text([{}, *rows], ".json"))
    assert rows_of(path.with_suffix(".json")) == [{}, *rows]


def test_objects_of_a_json_file_may_spread_over_lines(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("\n".join(json.dumps(row, indent=1) for row in ROWS))
    assert rows_of(tmp_path / "t.json") == ROWS
    (tmp_path / "t.json").write_text(json.dumps(ROWS[0], indent=1) + '\n{"id": 1,\n')
    with pytest.raises(DataError, match=r"t\.json, row 1: not JSON"):
        rows_of(tmp_path / "t.json")


def test_an_empty_field_of_csv_is_none_and_a_column_without_a_name_is_numbered(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(',problem,answer\n0,p,\n1,"",NA\n')
    assert rows_of(tmp_path / "t.csv") == [
        {"Unnamed: 0": "0", "problem": "p", "answer": None},
        {"Unnamed: 0": "1", "problem": None, "answer": "NA"},
    ]


def test_a_tier_column_of_numbers_names_the_same_tiers_in_every_format(tmp_path: Path) -> None:
    rows = [{"id": 1, "problem": "p", "answer": 2, "level": 5}, {"id": 2, "problem": "q", "answer": 3, "level": 1}]
    for ending in (".jsonl", ".parquet", ".csv"):
        source = Source(path=str(written(rows, tmp_path / f"t{ending}")))
        benchmark = Benchmark(name=f"b{ending}", source=source, columns=BenchmarkColumns(tier="level"))
        assert read_tiers(benchmark) == {"1": "level 5", "2": "level 1"}


def test_a_file_that_was_replaced_under_the_same_time_gives_its_new_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for rows in (ROWS[:1], ROWS[1:2]):
        written(rows, path)
        os.utime(path, (1e9, 1e9))
        assert rows_of(path, "benchmark") == rows


def test_a_parquet_file_needs_no_ending(tmp_path: Path) -> None:
    """The hub's cache keeps files under their checksums."""
    assert rows_of(written(ROWS, tmp_path / "t.parquet").rename(tmp_path / "0a1b")) == ROWS


def cut_off(content: bytes) -> bytes:
    return content[: -len(content) // 3]


LATIN_1 = b'{"id": 1}\n{"id": 2, "problem": "probl\xe9me"}\n'
BROKEN: list[tuple[str, bytes, str]] = [
    ("t.txt", b"a,b\n", r"t\.txt is no table that can be read; allowed: \.parquet, \.jsonl"),
    ("t.jsonl", b"", r"t\.jsonl has no rows"),
    ("t.json", b"[]", r"t\.json has no rows"),
    ("t.csv", b"a,b\n", r"t\.csv has no rows"),
    ("t.parquet", b"", r"t\.parquet has no rows"),
    ("t.jsonl", LATIN_1, r"t\.jsonl, row 1, column problem: not text in UTF-8; repair or remove the row"),
    ("t.jsonl.gz", gzip.compress(LATIN_1, mtime=0), r"row 1, column problem: not text in UTF-8"),
    ("t.json", b'[{"id": 1}, {"a": "\xe9"}]', r"t\.json, row 1, column a: not text in UTF-8"),
    ("t.csv", b"a,b\n1,2\n3,\xe9\n", r"t\.csv, row 1: not text in UTF-8"),
    ("t.csv", b"a,\xe9\n1,2\n", r"t\.csv, header: not text in UTF-8"),
    ("t.jsonl", '{"a": 1}\n'.encode("utf-16"), r"t\.jsonl, row 0, byte 0: not text in UTF-8"),
    ("t.jsonl", b'{"a": 1}\n{"a": 2', r"t\.jsonl, row 1: not JSON .*; the file ends within this row"),
    ("t.jsonl", b'{"a": 1}\n{"a" 2}\n{"a": 3}\n', r"t\.jsonl, row 1: not JSON \(Expecting ':' delimiter[^;]*$"),
    ("t.json", b'[{"a": 1}, {"a', r"t\.json: not JSON"),
    ("t.csv", b'a,b\n1,2\n3,"fo', r"t\.csv, row 1: not CSV \(unexpected end of data\); the file ends within this row"),
    ("t.csv", b"a,b\n1,2\n3\n", r"t\.csv, row 1: 1 fields, but the header names 2 columns"),
    ("t.csv", b"a,b\n1,2,3\n", r"t\.csv, row 0: 3 fields, but the header names 2 columns"),
    ("t.csv", b"a,b,a\n1,2,3\n", r"t\.csv, header: column a occurs twice"),
    ("t.jsonl", b'{"a": 1}\n[2]\n', r"t\.jsonl, row 1: not an object with named columns"),
    ("t.jsonl", b'[2]\n{"a": 1}\n', r"t\.jsonl, row 0: not an object with named columns"),
    ("t.json", b'[{"a": 1}, 2]', r"t\.json, row 1: not an object with named columns"),
    (
        "t.jsonl.gz",
        cut_off(gzip.compress(as_text(ROWS, ".jsonl"), mtime=0)),
        r"t\.jsonl\.gz cannot be read .*check that it is whole",
    ),
    ("t.jsonl.zst", b"no zstd at all", r"t\.jsonl\.zst cannot be read"),
    ("t.parquet", b"no Parquet at all", r"t\.parquet cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_what_is_wrong_is_one_sentence_for_corpus_and_benchmark(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    sentences = set()
    for use in USES:
        with pytest.raises(DataError, match=message) as refusal:
            list(read_rows(Source(path=str(tmp_path / name)), use))
        sentences.add(str(refusal.value))
    assert len(sentences) == 1


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_a_file_that_lost_its_end_is_refused_or_gives_whole_rows(ending: str, tmp_path: Path) -> None:
    """A beginning that stops between two rows cannot be told from a whole file of text; anything else is refused."""
    small = [{**row, "answer": "é"} for row in ROWS]
    content = written(small, tmp_path / f"t{ending}").read_bytes()
    for length in range(1, len(content)):
        (tmp_path / f"t{ending}").write_bytes(content[:length])
        try:
            rows = rows_of(tmp_path / f"t{ending}")
        except DataError:
            continue
        whole = [row | {"answer": small[0]["answer"]} for row in rows]
        assert ending in (".jsonl", ".csv")
        assert whole == small[: len(rows)]


def test_a_folder_without_a_table_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# a card")
    with pytest.raises(DataError, match=r"holds no table; allowed: \.parquet, \.jsonl"):
        rows_of(tmp_path)


def test_a_row_of_a_folder_is_named_by_its_file(tmp_path: Path) -> None:
    written(ROWS, tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n[1]\n')
    with pytest.raises(DataError, match=r"b\.jsonl, row 1: not an object with named columns"):
        rows_of(tmp_path)


def test_parquet_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    raw = pa.array([b"fine", b"probl\xe9me"], pa.binary())
    text = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    pq.write_table(pa.table({"problem": text, "solution": ["1", "2"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, row 1, column problem: not text in UTF-8"):
        rows_of(tmp_path / "t.parquet")


@pytest.mark.parametrize("ending", [".parquet", ".jsonl.gz", ".csv"])
def test_a_download_that_stopped_half_way_is_refused(ending: str, tmp_path: Path) -> None:
    for shard in (0, 2):
        written(ROWS, tmp_path / f"train-{shard:05d}-of-00003{ending}")
    with pytest.raises(DataError, match=r"1 of the 3 files train-\*-of-00003 are not there, first number 1"):
        rows_of(tmp_path)


@pytest.mark.parametrize("groups", [90, 1])
def test_little_of_a_file_is_in_memory(groups: int, tmp_path: Path) -> None:
    """However large a file is and however it was written; 90 MB here."""
    rng = random.Random(0)
    table = pa.Table.from_pylist([{"problem": "p", "solution": rng.randbytes(5_000).hex()} for _ in range(9000)])
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=9000 // groups)
    del table
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in read_rows(Source(path=str(tmp_path / "t.parquet")), "corpus")]
    assert len(held) == 9000
    assert max(held) < 25_000_000
