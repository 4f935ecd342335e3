"""Cells that would be left without an average, because another engine than before would sample their further attempts."""

from collections.abc import Sequence
from functools import cache

from ablation.cell import Cell
from ablation.errors import ConfigProblems
from ablation.evaluator import EVALUATOR_FILE
from ablation.records import read_json
from ablation.sampling.engine import engine
from ablation.science import Sample
from ablation.store import Store


def of_another_engine(missing: Sequence[Cell], store: Store) -> list[str]:
    """One sentence for each pair of engines, of cells that have a block of attempts and lack another. The installed engine is
    asked for its version only where there are such; where it is not installed here, nothing is known and nothing said.
    """
    pairs: dict[tuple[str, str], int] = {}
    for cell in missing:
        folders = [store.root / cell.folders[block] for block in cell.blocks]
        present = [folder for folder in folders if folder.is_dir()]
        if not present or len(present) == len(folders):
            continue
        now = _version(cell.sample)
        for before in {str(read_json(folder / EVALUATOR_FILE).get("engine")) for folder in present} - {now}:
            if now is not None:
                pairs[before, now] = pairs.get((before, now), 0) + 1
    return [
        f"{count} cell{'' if count == 1 else 's'}: {now} would sample further attempts, and {before} sampled the present ones. "
        "Records of two engines are not averaged together, so these would have no average: "
        f"install {before} again, ask for the sample.n of before, or sample all attempts anew with another seed.sample or outputs"
        for (before, now), count in pairs.items()
    ]


@cache
def _version(sample: Sample) -> str | None:
    try:
        return engine(sample.engine).version(sample)
    except (ConfigProblems, ImportError):
        return None
