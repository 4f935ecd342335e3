"""A cell's training set as a dataset of its own: Parquet or JSON lines, and a card, as other trainers and the hub read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.data.corpus.select import read_selection
from ablation.data.source import source_name
from ablation.errors import RecordError
from ablation.specs.cell import Cell
from ablation.store.records import SUMMARY_FILE, Trajectory

ExportFormat = Literal["parquet", "jsonl"]
_ROWS = 1000
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("id", "problem", "generation", "problem_type", "source", "style"), pa.string()),
        "tokens": pa.int32(),
        "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
    }
)


def export_train(cell: Cell, paths: dict[str, Path], form: ExportFormat, output: Path) -> Path:
    """Write ``train.parquet`` or ``train.jsonl`` in drawing order, and ``README.md``. Raises RecordError on a folder in use."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RecordError(f"{output} is not an empty folder; give --output another one")
    chosen = read_selection(paths["select"], paths["pool"])
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"train.{form}"
    rows = [_row(one) for one in chosen]
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), file, row_group_size=_ROWS)
    else:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    summary = json.loads((paths["select"] / SUMMARY_FILE).read_text(encoding="utf-8"))
    (output / "README.md").write_text("\n".join(_card(cell, summary, file.name)) + "\n", encoding="utf-8")
    return file


def _row(one: Trajectory) -> dict[str, Any]:
    turns = [{"role": "user", "content": one.problem}, {"role": "assistant", "content": one.generation}]
    return {**one.model_dump(include=set(_SCHEMA.names)), "messages": turns}


def _card(cell: Cell, summary: dict[str, Any], file: str) -> Iterator[str]:
    assert cell.corpus is not None
    source = cell.corpus.source
    origin = f"{source_name(source)}" + (f", subset {source.subset}" if source.subset else "")
    pinned = f"commit {source.revision}" if source.hub else f"SHA-256 {source.sha256}"
    # JSON is YAML, and quotes whatever a name may hold.
    front = {
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": file}]}],
        "tags": ["ablation"],
    }
    yield from ("---", json.dumps(front), "---", "", f"# {cell.name}", "")
    count = summary["funnel"]["chosen"]
    yield f"{count:,} trajectories of `{_code(origin)}` ({pinned}), chosen by `ablation`. The licence is the source's."
    yield from ("", "| factor | level |", "|---|---|")
    for name, level in cell.factors().items():
        yield f"| {name} | {level} |"
    yield from ("", "Trajectories left after each step:", "", "| step | left |", "|---|---|")
    for name, left in summary["funnel"].items():
        yield f"| {name.replace('_', ' ')} | {left:,} |"
    tokens = summary["tokens"]
    yield ""
    yield (
        f"Tokens of a trajectory under the tokenizer of `{_code(cell.model.name)}`: {tokens['p10']:.0f} / {tokens['p50']:.0f} / "
        f"{tokens['p90']:.0f} (p10 / median / p90). SHA-256 of the sorted ids: `{summary['ids_sha256']}`. "
        f"Key of the cell: `{cell.key}`."
    )
    yield ""
    yield (
        "Columns: `problem`, `generation`, and both as `messages` for trainers that apply a chat template; `id`, `problem_type`, "
        "`source` and `style` as the corpus has them; `tokens`. "
        "Rows stand in drawing order: the first 100 are the set with N = 100."
    )


def _code(text: str) -> str:
    return text.replace("`", "'").replace("\n", " ")
