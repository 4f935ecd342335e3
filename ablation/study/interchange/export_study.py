"""Export in the form of lm-evaluation-harness: per cell a sample log, one JSON line a question, and a file of results.

The rows have the harness's columns and those of the study's authors (``exact_matches``, ``extracted_answers``). Beside them stand
the columns that neither has: ``verdicts``, ``tier``, ``evaluator``, ``grader``.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.analysis.records.evaluators import EVALUATOR_COLUMNS, refuse_mixed
from ablation.analysis.records.load import Study, load
from ablation.errors import RecordError
from ablation.store.files import write_text_atomically
from ablation.study.completions import TEXTS_FILE

TextOf = Mapping[tuple[str, int], str]  # (question, attempt) → completion


def export_harness(folder: Path, target: Path) -> list[Path]:
    """Write every cell that has attempts below `target`. Return the sample logs.

    Raises RecordError when there are none, or a cell has attempts of several evaluators, which the form has no room for.
    """
    study, problems = load(folder), _problems(folder)
    refuse_mixed(study.results)
    texts = pd.read_parquet(folder / TEXTS_FILE) if (folder / TEXTS_FILE).exists() else None
    stamp = str(study.manifest.get("created", "undated")).replace(":", "-")
    written = []
    for name, results in study.results.groupby("cell", sort=False):
        text_of: TextOf = {}
        if texts is not None:
            own_texts = texts[texts["cell"] == name]
            attempts = zip(own_texts["question"], own_texts["attempt"], strict=True)
            text_of = dict(zip(attempts, own_texts["text"], strict=True))
        rows = _rows(results.sort_values("attempt", kind="stable"), text_of, problems)
        cell_folder = target / _folder_name(str(name))
        cell_folder.mkdir(parents=True, exist_ok=True)
        log = cell_folder / f"samples_{study.name}_{stamp}.jsonl"
        write_text_atomically(log, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        summary = json.dumps(_summary(study, str(name), rows), indent=2, ensure_ascii=False)
        write_text_atomically(cell_folder / f"results_{stamp}.json", summary + "\n")
        written.append(log)
    if not written:
        raise RecordError(f"{study.name} has no attempts to export")
    return written


def _rows(results: pd.DataFrame, text_of: TextOf, problems: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = []
    for number, (question, group) in enumerate(results.groupby("question", sort=False)):
        first = group.iloc[0]
        answer = None if pd.isna(first.get("answer")) else str(first["answer"])
        doc = {"id": str(question), "problem": problems.get(str(question)), "answer": answer}
        matches = [int(verdict == "correct") for verdict in group["verdict"]]
        texts = [text_of.get((str(question), int(attempt)), "") for attempt in group["attempt"]]
        rows.append(
            {
                "doc_id": number, "doc": doc, "target": answer,
                "arguments": {"gen_args_0": {"arg_0": doc["problem"] or "", "arg_1": {"until": []}}},
                "resps": [texts], "filtered_resps": [texts], "filter": "all", "metrics": ["exact_match"],
                "doc_hash": _sha256(json.dumps(doc, indent=2, ensure_ascii=False)),
                "prompt_hash": _sha256(doc["problem"] or ""), "target_hash": _sha256(str(answer)),
                "exact_match": matches[0], "exact_matches": matches,
                "extracted_answers": [
                    None if pd.isna(answer) else str(answer) for answer in _column(group, "extracted")
                ],
                "verdicts": [str(verdict) for verdict in group["verdict"]], "tier": str(first["tier"]),
                **{name: str(first[name]) for name in EVALUATOR_COLUMNS if name in group},
            }
        )  # fmt: skip
    return rows


def _summary(study: Study, cell: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    shares = [sum(row["exact_matches"]) / len(row["exact_matches"]) for row in rows]
    first = [row["exact_match"] for row in rows]
    return {
        "results": {
            study.name: {
                "alias": study.name,
                "exact_match,all": sum(first) / len(first),
                f"avg@{study.n_attempts},all": sum(shares) / len(shares),
            }
        },
        "versions": {study.name: study.manifest["format"]},
        "n-samples": {study.name: {"original": len(rows), "effective": len(rows)}},
        "config": {"model": cell},
        "date": study.manifest.get("created"),
    }


def _problems(folder: Path) -> dict[str, str]:
    """Return question → text, from the benchmarks of the plan. Empty where the study did not run here."""
    from ablation.data.benchmark import read_questions
    from ablation.study.plan import PLAN, load_plan

    if not (folder / PLAN).exists():
        return {}
    benchmarks = dict.fromkeys(cell.benchmark for cell in load_plan(folder).cells)
    return {question.id: question.problem for benchmark in benchmarks for question in read_questions(benchmark)}


def _column(group: pd.DataFrame, name: str) -> "pd.Series[Any]":
    return group[name] if name in group else pd.Series([None] * len(group))


def _folder_name(cell: str) -> str:
    """Return a cell's name as the name of one folder. Raises RecordError when no folder can have it.

    An imported model may be called ``org/model``, which the harness writes ``org__model``.
    """
    safe = cell.replace("/", "__")
    if safe in ("", ".", "..") or "\0" in safe:
        raise RecordError(f"a cell called {cell!r} cannot have a folder of its name")
    return safe


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
