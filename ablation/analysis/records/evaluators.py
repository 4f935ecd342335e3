"""Which evaluators and graders stand behind each cell: rates of different ones are not averaged together."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from ablation.analysis.records.load import Study
from ablation.errors import RecordError

EVALUATOR_COLUMNS = ("evaluator", "grader")  # what must be one and the same for rates to be comparable
_Found = Mapping[str, tuple[str, ...]]


def mixed(results: pd.DataFrame) -> dict[str, str]:
    """Cells whose own attempts come from several evaluators or graders → why they have no average."""
    return _mixed(_evaluators(results))


def apart(study: Study) -> dict[str, str]:
    """Cells that cannot be compared with the others → why: the `mixed` ones, and those of another evaluator than most have.

    Most is counted over the cells that have factors, since no others are compared, unless none has; of evaluators that equally
    many have, the one whose cell is planned first is taken.
    """
    found = _evaluators(study.results)
    several = _mixed(found)
    has_factors = study.cells["count"].notna()
    compared = study.cells.loc[has_factors | (not has_factors.any()), "cell"]
    single = [found[cell][0] for cell in map(str, compared) if len(found.get(cell, ())) == 1]
    if not single:
        return several
    (most, _), *_ = Counter(single).most_common(1)
    others = {cell: names[0] for cell, names in found.items() if cell not in several and names[0] != most}
    return several | {
        cell: f"judged by another evaluator ({name}) than most cells with factors ({most}), so it is compared with none"
        for cell, name in others.items()
    }


def judges(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """`evaluator` and `grader` → their names in these results, sorted; only the columns that the records have."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    return {name: tuple(sorted(_named(pd.Series(results[name].unique())))) for name in columns}


def refuse_mixed(results: pd.DataFrame) -> None:
    """Raise RecordError naming every cell whose attempts come from several evaluators."""
    if several := mixed(results):
        raise RecordError(". ".join(f"{cell}: {reason}" for cell, reason in several.items()))


def _mixed(found: _Found) -> dict[str, str]:
    return {
        cell: f"its attempts come from several evaluators ({'; '.join(names)}); they are not averaged together"
        for cell, names in found.items()
        if len(names) > 1
    }


def _evaluators(results: pd.DataFrame) -> _Found:
    """Cell → who judged its attempts, sorted; nothing where all are of one, or the records do not say."""
    columns = [name for name in EVALUATOR_COLUMNS if name in results]
    if not any(len(results[name].unique()) > 1 for name in columns):
        return {}
    kinds = results[["cell", *columns]].drop_duplicates()
    found: dict[str, set[str]] = {}
    for cell, *names in zip(kinds["cell"].astype(str), *(_named(kinds[name]) for name in columns), strict=True):
        found.setdefault(cell, set()).add(" and ".join(names))
    return {cell: tuple(sorted(names)) for cell, names in found.items()}


def _named(names: "pd.Series[str]") -> list[str]:
    return names.astype("string").fillna("unknown").tolist()
