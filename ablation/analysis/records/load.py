"""The records of one study, read and checked. No other module of the analysis reads records from the disk."""

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
ALL = "all"  # in the place of a tier: every question. No tier of a benchmark may have this name.
VERDICTS = ("correct", "wrong", "no_answer", "truncated", "ungradable")
SEED_COLUMNS = tuple(f"seed_{seed}" for seed in SEEDS)
MANIFEST_KEYS = ("study", "n", "tiers", "cells")
RESULT_COLUMNS = ("cell", "question", "tier", "attempt", "verdict")
CELL_COLUMNS = ("cell", "state", *FACTORS, *SEED_COLUMNS)
LOSS_COLUMNS = ("cell", "update", "loss")
TEXT_COLUMNS = ("cell", "question", "attempt", "text")


@dataclass(frozen=True)
class Study:
    """The records of one study, as they lie under `outputs/<study>/`."""

    manifest: Mapping[str, Any]
    """The content of `manifest.json`."""
    results: pd.DataFrame
    """One row per cell, question and attempt.

    Attempts of `curtailed` cells are not among them. Their number depends on how they came out, so they may not be counted.
    """
    cells: pd.DataFrame
    """One row per planned cell."""
    loss: pd.DataFrame | None = None
    """One row per cell and update; None where no loss was recorded."""
    texts: Path | None = None
    """The file of the completions, which may be larger than memory; None without one."""

    @property
    def name(self) -> str:
        """The name of the study, as in its manifest."""
        return str(self.manifest["study"])

    @property
    def primary(self) -> Primary | None:
        """The comparison that was named before the study was run; None for studies of earlier versions."""
        fields = self.manifest.get("primary")
        return Primary.model_validate(fields) if fields else None

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
        """Yield the completions (columns `cell question attempt text`), about `batch_bytes` at a time.

        Yields nothing without a file. Raises RecordError for a damaged file.
        """
        if self.texts is None:
            return
        try:
            with pq.ParquetFile(self.texts) as file:
                _none_absent(self.texts, TEXT_COLUMNS, file.schema_arrow.names)
                size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
                rows = batch_bytes * file.metadata.num_rows // max(size, 1)
                yield from file.iter_batches(min(max(rows, 1), 1 << 16), columns=list(TEXT_COLUMNS))
        except (OSError, pa.ArrowException) as error:
            raise RecordError(
                f"{self.texts} is not readable as parquet ({error}); run the study's command again"
            ) from error

    @property
    def errors(self) -> dict[str, str]:
        """Cell → the error that stopped it, for cells that record one."""
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
    """Return the study without repeated rows. Raises RecordError where its records contradict each other."""
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
    """Return the results without the attempts of curtailed cells.

    Records of earlier versions and of other tools have no column `curtailed`; nothing is dropped from them.
    """
    if "curtailed" not in results or not (dropped := results["curtailed"].astype(bool)).any():
        return results
    return results[~dropped].reset_index(drop=True)


def _manifest(file: Path) -> dict[str, Any]:
    """Read the manifest.

    Raises RecordError that names the file and the remedy: absent, not JSON, of another format, or without a needed key.
    """
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecordError(f"{file} is missing: is {file.parent} the folder of a study that was started?") from error
    except ValueError as error:
        raise RecordError(f"{file} is not JSON ({error}); run the study's command again to rewrite it") from error
    # The format comes before the keys: another version may well have other keys, and then this is the truer complaint.
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != MANIFEST_FORMAT:
        raise RecordError(
            f"{file} has format {version!r}, this version reads {MANIFEST_FORMAT}; run the study's command again to rewrite it"
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


def _none_absent(file: Path, needed: Iterable[str], columns: Iterable[str]) -> None:
    """Raise RecordError when one of the `needed` columns is not among the `columns` of the file."""
    present = list(columns)
    if absent := [column for column in needed if column not in present]:
        raise RecordError(f"{file} lacks the columns {', '.join(absent)}; it has {', '.join(present)}")


def _without_repeats(results: pd.DataFrame) -> pd.DataFrame:
    """Return the results with each row once. Raises RecordError for two different rows of one attempt."""
    key = ["cell", "question", "attempt"]
    # This is the usual case. Comparing whole rows, as below, costs ten times as much.
    if not results.duplicated(key).any():
        return results
    once = results.drop_duplicates()
    attempts = once[key]
    twice = attempts[attempts.duplicated()]
    culprits = {" / ".join(map(str, row)) for row in twice.to_numpy()}
    _none("results.parquet has differing rows for the same attempt", culprits)
    return once


def _none(complaint: str, culprits: Iterable[object]) -> None:
    """Raise RecordError with `complaint` when there are any culprits, naming the first three."""
    named = sorted(map(str, culprits))
    if named:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        raise RecordError(f"{complaint}: {', '.join(named[:3])}{more}; nothing was averaged")
