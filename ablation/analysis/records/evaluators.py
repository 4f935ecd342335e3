"""The evaluators and graders behind each cell: rates that different ones judged are not averaged together."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from ablation.analysis.records.load import Study
from ablation.errors import RecordError

EVALUATOR_COLUMNS = ("evaluator", "grader")  # both must be the same for rates to be comparable
_EvaluatorsByCell = Mapping[str, tuple[str, ...]]


def mixed(results: pd.DataFrame) -> dict[str, str]:
    """Return the cells whose own attempts come from several evaluators or graders → the reason: they have no average."""
    return _reasons_of_mixed(_evaluators(results))


def apart(study: Study) -> dict[str, str]:
    """Return the cells that cannot be compared with the others → the reason.

    These are the `mixed` cells, and those of another evaluator than most cells have. Only cells with factors are counted
    for "most", because no others are compared; if none has factors, all are. When equally many cells have each of two
    evaluators, the evaluator of the cell that is planned first is taken.
    """
    evaluators = _evaluators(study.results)
    several = _reasons_of_mixed(evaluators)
    has_factors = study.cells["count"].notna()
    compared = study.cells.loc[has_factors | (not has_factors.any()), "cell"]
    single = [evaluators[cell][0] for cell in map(str, compared) if len(evaluators.get(cell, ())) == 1]
    if not single:
        return several
    (most, _), *_ = Counter(single).most_common(1)
    others = {cell: names[0] for cell, names in evaluators.items() if cell not in several and names[0] != most}
    return several | {
        cell: f"judged by another evaluator ({name}) than most cells with factors ({most}), so it is compared with none"
        for cell, name in others.items()
    }


def judges(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return `evaluator` and `grader` → their names in these results, sorted; only the columns that the records have."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    return {name: tuple(sorted(_names(pd.Series(results[name].unique())))) for name in columns}


def refuse_mixed(results: pd.DataFrame) -> None:
    """Raise RecordError that names every cell whose attempts come from several evaluators."""
    if several := mixed(results):
        raise RecordError(". ".join(f"{cell}: {reason}" for cell, reason in several.items()))


def _reasons_of_mixed(evaluators: _EvaluatorsByCell) -> dict[str, str]:
    return {
        cell: f"its attempts come from several evaluators ({'; '.join(names)}); they are not averaged together"
        for cell, names in evaluators.items()
        if len(names) > 1
    }


def _evaluators(results: pd.DataFrame) -> _EvaluatorsByCell:
    """Return cell → the evaluators of its attempts, sorted; empty where all cells have one, or the records name none."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    if not any(len(results[name].unique()) > 1 for name in columns):
        return {}
    kinds = results[["cell", *columns]].drop_duplicates()
    evaluators: dict[str, set[str]] = {}
    for cell, *names in zip(kinds["cell"].astype(str), *(_names(kinds[name]) for name in columns), strict=True):
        evaluators.setdefault(cell, set()).add(" and ".join(names))
    return {cell: tuple(sorted(names)) for cell, names in evaluators.items()}


def _names(names: "pd.Series[str]") -> list[str]:
    return names.astype("string").fillna("unknown").tolist()
