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
    """One sentence for each pair of engines, where samples are sealed that another version than the installed one made, while
    others are missing. Nothing where none is missing; where the engine is not installed here, nothing is known and nothing said.
    """
    sealed = store.complete_folders(StageName.SAMPLE)
    lacking = [cell for cell in cells if not sealed.issuperset(_samples(cell))]
    if not lacking or not sealed:
        return []
    now = {_asked(cell): _version(cell.sample) for cell in {_asked(cell): cell for cell in lacking}.values()}
    present = {folder for cell in cells if now.get(_asked(cell)) for folder in _samples(cell)} & sealed
    made_by = {folder: read_json(store.root / folder / EVALUATOR_FILE).get("engine") for folder in present}
    told: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        version = now.get(_asked(cell))
        recorded = {made_by.get(folder) for folder in _samples(cell)} - {None, version}
        told.update((str(before), version) for before in recorded if version)
    return [
        f"{count} of {len(cells)} cells hold attempts that {before} sampled, and {version} would sample what is missing. Records "
        f"of two engines are neither averaged together nor compared: {_WAYS}"
        for (before, version), count in told.items()
    ]


def _samples(cell: Cell) -> list[str]:
    return [cell.folders[block] for block in cell.blocks]


def _asked(cell: Cell) -> tuple[str, str | None]:
    return cell.sample.engine, cell.sample.python


def _version(sample: Sample) -> str | None:
    try:
        return engine(sample.engine).version(sample)
    except (ConfigProblems, ImportError):
        return None
