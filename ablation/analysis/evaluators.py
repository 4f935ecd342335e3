"""Which evaluators and graders stand behind each cell: rates of different ones are not averaged together."""

from collections import Counter

import pandas as pd

from ablation.analysis.study import Study
from ablation.errors import RecordError

EVALUATOR_COLUMNS = ("evaluator", "grader")  # what must be one and the same for rates to be comparable


def mixed(results: pd.DataFrame) -> dict[str, str]:
    """Cells whose own attempts come from several evaluators or graders → why they have no average."""
    return {
        cell: f"its attempts come from several evaluators ({'; '.join(found)}); they are not averaged together"
        for cell, found in _evaluators(results).items()
        if len(found) > 1
    }


def apart(study: Study) -> dict[str, str]:
    """Cells that cannot be compared with the others → why: the `mixed` ones, and those of another evaluator than most have.

    Of evaluators that equally many cells have, the one whose cell is planned first counts as that of most.
    """
    found = _evaluators(study.results)
    single = [found[cell][0] for cell in map(str, study.cells["cell"]) if len(found.get(cell, ())) == 1]
    several = mixed(study.results)
    if len(set(single)) < 2:
        return several
    (most, _), *_ = Counter(single).most_common(1)
    others = {cell: names[0] for cell, names in found.items() if cell not in several and names[0] != most}
    return several | {
        cell: f"judged by another evaluator ({name}) than most cells ({most}), so it is compared with none"
        for cell, name in others.items()
    }


def judges(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """`evaluator` and `grader` → their names in these results, sorted; only the columns that the records have."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    return {name: tuple(sorted(map(str, results[name].unique()))) for name in columns}


def refuse_mixed(results: pd.DataFrame) -> None:
    """Raise RecordError naming every cell whose attempts come from several evaluators."""
    if several := mixed(results):
        raise RecordError(". ".join(f"{cell}: {reason}" for cell, reason in several.items()))


def _evaluators(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Cell → who judged its attempts, sorted; no cell where the records do not say."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    if not columns:
        return {}
    kinds = results[["cell", *columns]].drop_duplicates()
    names = kinds[columns].astype("string").fillna("unknown").agg(" and ".join, axis=1)
    return {str(cell): tuple(sorted(set(group))) for cell, group in names.groupby(kinds["cell"], sort=False)}
