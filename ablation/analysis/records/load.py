"""The records of one study, read and checked: the only module of the analysis that touches the disk."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ablation.errors import RecordError
from ablation.specs.primary import Primary
from ablation.specs.vocabulary import FACTORS, SEEDS

MANIFEST_FORMAT = 1
ALL = "all"  # the tier of every question; so no tier may bear this name
VERDICTS = ("correct", "wrong", "no_answer", "truncated", "ungradable")
SEED_COLUMNS = tuple(f"seed_{seed}" for seed in SEEDS)
MANIFEST_KEYS = ("study", "n", "tiers", "cells")
RESULT_COLUMNS = ("cell", "question", "tier", "attempt", "verdict")
CELL_COLUMNS = ("cell", "state", *FACTORS, *SEED_COLUMNS)
LOSS_COLUMNS = ("cell", "update", "loss")
TEXT_COLUMNS = ("cell", "question", "attempt", "text")


@dataclass(frozen=True)
class Study:
    """One study as recorded under `outputs/<study>/`.

    `results` has one row per cell, question and attempt; `cells` one row per planned cell; `loss`, if any was
    recorded, one row per cell and update. `texts` is the file of what the models wrote, which may be larger than memory.
    Attempts of `curtailed` cells are no results: how many there are depends on how they came out, so nothing may count them.
    """

    manifest: Mapping[str, Any]
    results: pd.DataFrame
    cells: pd.DataFrame
    loss: pd.DataFrame | None = None
    texts: Path | None = None

    @property
    def name(self) -> str:
        return str(self.manifest["study"])

    @property
    def primary(self) -> Primary | None:
        """The comparison that was named before the study was run; studies of earlier versions name none."""
        told = self.manifest.get("primary")
        return Primary.model_validate(told) if told else None

    @property
    def curtailed(self) -> pd.DataFrame:
        """The cells whose sampling ended as soon as a pass line was decided: they have an answer and no average."""
        if "curtailed" not in self.cells:
            return self.cells.iloc[:0]
        return self.cells[self.cells["curtailed"].fillna(False).astype(bool)]

    @property
    def n_attempts(self) -> int:
        """Planned attempts per question: the n of avg@n."""
        return int(self.manifest["n"])

    @property
    def tiers(self) -> tuple[str, ...]:
        """The manifest's tiers in its order, then any that occur in the results alone."""
        declared = [str(tier) for tier in self.manifest["tiers"]]
        return tuple(dict.fromkeys([*declared, *sorted(self.results["tier"].unique())]))

    @property
    def planned(self) -> dict[str, int]:
        """Planned attempts by cell."""
        return {str(cell["cell"]): int(cell["planned_attempts"]) for cell in self.manifest["cells"]}

    def read_texts(self, batch_bytes: int = 1 << 24) -> Iterator[pa.RecordBatch]:
        """What the models wrote (columns `cell question attempt text`), about `batch_bytes` at a time; nothing without a file.

        Raises RecordError for a damaged file.
        """
        if self.texts is None:
            return
        try:
            with pq.ParquetFile(self.texts) as file:
                _none_absent(self.texts, TEXT_COLUMNS, file.schema_arrow.names)
                size = sum(file.metadata.row_group(place).total_byte_size for place in range(file.num_row_groups))
                rows = batch_bytes * file.metadata.num_rows // max(size, 1)
                yield from file.iter_batches(min(max(rows, 1), 1 << 16), columns=list(TEXT_COLUMNS))
        except (OSError, pa.ArrowException) as error:
            raise RecordError(
                f"{self.texts} is not readable as parquet ({error}); run the study's command again"
            ) from error

    @property
    def errors(self) -> dict[str, str]:
        """What stopped a cell, for those that say so."""
        return {str(cell["cell"]): str(cell["error"]) for cell in self.manifest["cells"] if cell.get("error")}


def load(path: Path | str) -> Study:
    """Read the records in the folder `path`.

    Raises RecordError for a missing file, another format or a contradiction.
    """
    folder = Path(path)
    manifest = _manifest(folder / "manifest.json")
    results = _frame(folder / "results.parquet", RESULT_COLUMNS)
    cells = _frame(folder / "cells.parquet", CELL_COLUMNS)
    loss_file = folder / "loss.parquet"
    loss = _frame(loss_file, LOSS_COLUMNS) if loss_file.exists() else None
    texts = folder / "completions.parquet"
    return checked(Study(manifest, _countable(results), cells, loss, texts if texts.exists() else None))


def checked(study: Study) -> Study:
    """The study without repeated rows; raises RecordError where its records contradict each other."""
    if ALL in study.tiers:
        raise RecordError(f"a tier is called {ALL!r}, which stands for every question; rename it in the benchmark")
    planned = set(study.planned)
    _none("cells.parquet and manifest.json name different cells", set(study.cells["cell"]) ^ planned)
    _none("results.parquet has cells that manifest.json does not plan", set(study.results["cell"].unique()) - planned)
    _none(f"verdicts other than {', '.join(VERDICTS)}", set(study.results["verdict"].unique()) - set(VERDICTS))
    tiers_by_question = study.results.groupby("question")["tier"].nunique()
    _none("questions in more than one tier", set(tiers_by_question.index[tiers_by_question > 1]))
    return replace(study, results=_without_repeats(study.results))


def _countable(results: pd.DataFrame) -> pd.DataFrame:
    """Without the attempts of curtailed cells; records of before there were such, and of others, have none."""
    if "curtailed" not in results or not (dropped := results["curtailed"].astype(bool)).any():
        return results
    return results[~dropped].reset_index(drop=True)


def _manifest(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecordError(f"{file} is missing: is {file.parent} the folder of a study that was started?") from error
    except ValueError as error:
        raise RecordError(f"{file} is not JSON ({error}); run the study's command again to rewrite it") from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != MANIFEST_FORMAT:
        raise RecordError(
            f"{file} has format {found!r}, this version reads {MANIFEST_FORMAT}; run the study's command again to rewrite it"
        )
    if absent := [key for key in MANIFEST_KEYS if key not in manifest]:
        raise RecordError(f"{file} lacks {', '.join(absent)}; run the study's command again to rewrite it")
    # An unpaired surrogate is legal in JSON, but in no table and no file: it becomes a question mark.
    return dict(json.loads(json.dumps(manifest, ensure_ascii=False).encode("utf-8", "replace")))


def _frame(file: Path, needed: Iterable[str]) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file)
    except FileNotFoundError as error:
        raise RecordError(f"{file} is missing; run the study's command again to rewrite its records") from error
    except pa.ArrowException as error:
        raise RecordError(f"{file} is not readable as parquet ({error}); run the study's command again") from error
    _none_absent(file, needed, map(str, frame.columns))
    return frame


def _none_absent(file: Path, needed: Iterable[str], found: Iterable[str]) -> None:
    present = list(found)
    if absent := [column for column in needed if column not in present]:
        raise RecordError(f"{file} lacks the columns {', '.join(absent)}; it has {', '.join(present)}")


def _without_repeats(results: pd.DataFrame) -> pd.DataFrame:
    """A row recorded twice counts once; two verdicts on one attempt are a contradiction."""
    key = ["cell", "question", "attempt"]
    if not results.duplicated(key).any():  # as ever; comparing whole rows costs ten times as much
        return results
    once = results.drop_duplicates()
    attempts = once[key]
    twice = attempts[attempts.duplicated()]
    culprits = {" / ".join(map(str, row)) for row in twice.to_numpy()}
    _none("results.parquet has differing rows for the same attempt", culprits)
    return once


def _none(complaint: str, culprits: Iterable[object]) -> None:
    """Raise `complaint` when there are any culprits, naming the first few."""
    named = sorted(map(str, culprits))
    if named:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        raise RecordError(f"{complaint}: {', '.join(named[:3])}{more}; nothing was averaged")
