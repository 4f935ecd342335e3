"""Cells that could not be averaged or compared, because another engine than before would sample what is missing."""

from collections import Counter
from collections.abc import Sequence

from ablation.errors import ConfigProblems
from ablation.evaluation.evaluator_name import EVALUATOR_FILE
from ablation.evaluation.sampling.engine import engine
from ablation.specs import Sample
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import StageName
from ablation.store.records import read_json
from ablation.store.store import Store

_WAYS = "install that version again, ask for what was sampled by it alone, or sample all anew with another seed.sample or outputs"


def engine_conflicts(cells: Sequence[Cell], store: Store) -> list[str]:
    """Return a sentence for each pair of engine versions that the records of these cells would mix.

    The pair is the recorded version of samples that are complete, and the installed version, which would sample what is missing.
    The list is empty where nothing is missing. It is empty, too, where the engine is not installed here: then nothing is known.
    """
    complete = store.complete_folders(StageName.SAMPLE)
    incomplete_cells = [cell for cell in cells if not complete.issuperset(_sample_folders(cell))]
    if not incomplete_cells or not complete:
        return []
    # One question to each engine, however many cells it samples: asking one may start another Python.
    samples = {_engine_key(cell): cell.sample for cell in incomplete_cells}
    installed = {key: _installed_version(sample) for key, sample in samples.items()}
    # Only cells of an engine that still has work: of the others nothing new would be sampled.
    folders = {folder for cell in cells if installed.get(_engine_key(cell)) for folder in _sample_folders(cell)}
    recorded = {folder: read_json(store.root / folder / EVALUATOR_FILE).get("engine") for folder in folders & complete}
    counts: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        version = installed.get(_engine_key(cell))
        other_versions = {recorded.get(folder) for folder in _sample_folders(cell)} - {None, version}
        counts.update((str(before), version) for before in other_versions if version)
    return [
        f"{count} of {len(cells)} cells hold attempts that {before} sampled, and {version} would sample what is missing. Records "
        f"of two engines are neither averaged together nor compared: {_WAYS}"
        for (before, version), count in counts.items()
    ]


def _sample_folders(cell: Cell) -> list[str]:
    return [cell.folders[block] for block in cell.blocks]


def _engine_key(cell: Cell) -> tuple[str, str | None]:
    """Return the engine and the interpreter that runs it: together they have one version."""
    return cell.sample.engine, cell.sample.python


def _installed_version(sample: Sample) -> str | None:
    try:
        return engine(sample.engine).version(sample)
    except (ConfigProblems, ImportError):
        return None
