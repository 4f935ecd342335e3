"""The comparison of two studies: cells of the same factors and seeds, paired by the questions that both asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ablation.analysis.effects.estimates import WeightedSum, estimate
from ablation.analysis.effects.factor_effects import factor_effects
from ablation.analysis.effects.uncertainty import ANALYSIS_SEED, BOOTSTRAP_DRAWS
from ablation.analysis.records.evaluators import judges
from ablation.analysis.records.load import SEED_COLUMNS, Study
from ablation.analysis.records.matching import levels, mean_weights
from ablation.analysis.records.scores import Ints, Scores
from ablation.errors import RecordError
from ablation.specs.vocabulary import FACTORS

NO_PAIR = "no complete cells of both studies with the same factors and seeds"
_MATCHED_BY = (*FACTORS, *SEED_COLUMNS)


@dataclass(frozen=True)
class StudyComparison:
    """Two studies beside each other. Differences are the second study minus the first."""

    first: Study
    second: Study
    scores: Scores
    """The shared questions of both studies in one table; the cells of the first study come first."""
    questions: int
    """The number of questions that both asked."""
    differences: pd.DataFrame
    """One row per group and tier: `factor level pairs` and the columns of `estimate`.

    The groups are all trained cells, the base model, and each level of each factor; matched cells alone.
    """
    cells: pd.DataFrame
    """One row per matched pair: `one other same`, and avg@n of both in each tier, `one_{tier} other_{tier}`.

    `same` is true for one and the same cell, by its key.
    """
    effects: pd.DataFrame
    """The contrasts of `factor_effects` that both can make.

    `factor level reference tier`, and `pairs estimate low high p_holm reason` with the suffixes `_one` and `_other`.
    """
    only_first: tuple[str, ...]
    """Cells of the first study without a partner."""
    only_second: tuple[str, ...]
    """Cells of the second study without a partner."""
    fixed: tuple[tuple[str, str, str], ...]
    """(name, value in the first, value in the second) of what was held fixed at different values."""


def compare_studies(
    first: Study, second: Study, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED
) -> StudyComparison:
    """Compare two studies as far as their questions and cells agree. Studies that are not finished may be compared.

    The estimates are those of `estimate`, so intervals hold for questions like these, and for further training seeds where a
    setting was run with several. Tiers are the first study's. Raises RecordError where no question was asked in both.
    """
    # Partial: a study that is still running has complete cells that can be compared, and the page says what is missing.
    both_scores = Scores.of(first, partial=True), Scores.of(second, partial=True)
    asked_second = set(both_scores[1].questions["question"])
    shared = [name for name in both_scores[0].questions["question"] if name in asked_second]
    if not shared:
        raise RecordError(f"{first.name} and {second.name} have no question in common: there is nothing to compare")
    joined = _joined(both_scores, shared)
    pairs = _pairs(joined)
    frames = [estimate(joined, tier, _differences(joined, pairs, tier), draws, seed) for tier in joined.all_and_tiers]
    matched = {row for pair in pairs for row in pair}
    only_first, only_second = (
        tuple(
            str(name)
            for row, (name, cell_part) in enumerate(zip(joined.cells["cell"], joined.cells["part"], strict=True))
            if cell_part == part and row not in matched
        )
        for part in (0, 1)
    )
    return StudyComparison(
        first, second, joined, len(shared), pd.concat(frames, ignore_index=True), _cells(joined, pairs, (first, second)),
        _effects(both_scores), only_first, only_second, _fixed(first, second),
    )  # fmt: skip


def _joined(both_scores: tuple[Scores, Scores], shared: list[str]) -> Scores:
    """Join the scores of both. `part` is the study of a cell, 0 or 1, and `level` its category.

    The column `category` gets the study in front, so that a setting of one study is never taken for the other's.
    """
    first, _ = both_scores
    questions = first.questions[first.questions["question"].isin(shared)].reset_index(drop=True)
    cells = pd.concat(
        [scores.cells.assign(part=part, level=scores.cells["category"]) for part, scores in enumerate(both_scores)],
        ignore_index=True,
    )
    cells["category"] = [f"{part}: {level}" for part, level in cells[["part", "level"]].to_numpy()]
    columns = [
        pd.Index(scores.questions["question"]).get_indexer(pd.Index(questions["question"])) for scores in both_scores
    ]
    correct_cq, attempts_cq = (
        np.concatenate([getattr(scores, name)[:, chosen] for scores, chosen in zip(both_scores, columns, strict=True)])
        for name in ("correct_cq", "attempts_cq")
    )
    # Cells of both studies may have the same name, so `apart` cannot name them. A plan of 0 attempts has the same effect: no
    # rates.
    planned_c: Ints = np.concatenate(
        [
            scores.planned_c // max(len(scores.questions), 1) * len(questions) * ~scores.is_apart_c
            for scores in both_scores
        ]
    )
    tiers = tuple(tier for tier in first.tiers if (questions["tier"] == tier).any())
    return Scores(cells, questions, tiers, first.n_attempts, correct_cq, attempts_cq, planned_c)


def _pairs(joined: Scores) -> list[tuple[int, int]]:
    """Return the rows of cells that agree in factors and seeds; left out are those that several cells of a study share."""
    names = [name if name != "category" else "level" for name in _MATCHED_BY]
    keys = [
        repr(tuple(None if pd.isna(value) else value for value in row))
        for row in joined.cells[names].itertuples(index=False)
    ]
    rows_by_key: dict[str, dict[int, list[int]]] = {}
    for row, (key, part) in enumerate(zip(keys, joined.cells["part"], strict=True)):
        rows_by_key.setdefault(key, {0: [], 1: []})[int(part)].append(row)
    return [(rows[0][0], rows[1][0]) for rows in rows_by_key.values() if len(rows[0]) == len(rows[1]) == 1]


def _differences(joined: Scores, pairs: list[tuple[int, int]], tier: str) -> list[WeightedSum]:
    """Return the difference of the studies in each group of matched cells, not yet estimated."""
    complete_c = np.asarray(np.isfinite(joined.rates_cq(tier)).all(axis=1))
    usable = [pair for pair in pairs if complete_c[list(pair)].all()]
    trained = [pair for pair in usable if not joined.is_base_c[pair[0]]]
    base = [pair for pair in usable if joined.is_base_c[pair[0]]]
    differences = [_difference(joined, {"factor": "all trained cells", "level": None}, trained)]
    differences.append(_difference(joined, {"factor": "base model", "level": None}, base))
    # The joined cells have the study in their category; the levels are those of the records.
    recorded = joined.cells.assign(category=joined.cells["level"])
    for factor in FACTORS:
        for level in levels(recorded, factor):
            chosen = [pair for pair in trained if recorded[factor].iloc[pair[0]] == level]
            differences.append(_difference(joined, {"factor": factor, "level": level}, chosen))
    return differences


def _difference(joined: Scores, labels: dict[str, Any], pairs: list[tuple[int, int]]) -> WeightedSum:
    labels = {**labels, "pairs": len(pairs)}
    if not pairs:
        return WeightedSum(labels, None, NO_PAIR)
    first, second = (pd.Index([pair[part] for pair in pairs]) for part in (0, 1))
    return WeightedSum(labels, mean_weights(second, len(joined.cells)) - mean_weights(first, len(joined.cells)))


def _cells(joined: Scores, pairs: list[tuple[int, int]], studies: tuple[Study, Study]) -> pd.DataFrame:
    """Return the table of matched cells, with avg@n of both studies."""
    keys = [{cell["cell"]: cell.get("key") for cell in study.manifest["cells"]} for study in studies]
    averages, names = joined.averages(), joined.cells["cell"].tolist()
    rows = []
    for first, second in pairs:
        row: dict[str, Any] = {"one": names[first], "other": names[second]}
        key = keys[0].get(names[first])
        row["same"] = key is not None and key == keys[1].get(names[second])
        for tier in joined.all_and_tiers:
            row |= {f"one_{tier}": averages[tier].iloc[first], f"other_{tier}": averages[tier].iloc[second]}
        rows.append(row)
    columns = [
        "one",
        "other",
        "same",
        *(f"{side}_{tier}" for tier in joined.all_and_tiers for side in ("one", "other")),
    ]
    return pd.DataFrame(rows, columns=columns)


def _effects(both_scores: tuple[Scores, Scores]) -> pd.DataFrame:
    labels = ["factor", "level", "reference", "tier"]
    first, second = (
        factor_effects(scores, draws=0).dropna(subset=["reference", "estimate"])[
            [*labels, "pairs", "estimate", "low", "high", "p_holm", "reason"]
        ]
        for scores in both_scores
    )
    return first.merge(second, on=labels, suffixes=("_one", "_other"))


def _fixed(first: Study, second: Study) -> tuple[tuple[str, str, str], ...]:
    """Return (name, value in the first, value in the second) where the fixed settings or the evaluation differ."""
    values_first, values_second = (
        _flat((study.manifest.get("fixed") or [{}])[0])
        | {"attempts a question": str(study.n_attempts)}
        | {name: "; ".join(evaluators) for name, evaluators in judges(study.results).items()}
        for study in (first, second)
    )
    return tuple(
        (name, values_first.get(name, "–"), values_second.get(name, "–"))
        for name in sorted({*values_first, *values_second})
        if values_first.get(name) != values_second.get(name)
    )


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Return dotted path → value of nested mappings."""
    values: dict[str, str] = {}
    for name, value in content.items():
        path = f"{above}{name}"
        values |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: str(value)}
    return values
