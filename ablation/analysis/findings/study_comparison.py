"""Two studies against each other: cells of the same factors and seeds, paired by the questions that both asked.

Array suffixes: c cell, q question.
"""

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
    """What `compare_studies` found; differences are the second study minus the first.

    `differences`: one row a group (all matched cells, the base model, each level of each factor) and tier, with `factor level
    pairs` and the columns of `estimate`. `cells`: one row a matched pair, `one other same` (`same`: one and the same cell, by
    its key) and avg@n of both in each tier, `one_{tier} other_{tier}`. `effects`: the contrasts of `factor_effects` that both
    can make, `factor level reference tier` and `estimate low high` with the suffixes `_one` and `_other`.
    """

    one: Study
    other: Study
    scores: Scores
    questions: int
    differences: pd.DataFrame
    cells: pd.DataFrame
    effects: pd.DataFrame
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]
    fixed: tuple[tuple[str, str, str], ...]


def compare_studies(
    one: Study, other: Study, draws: int = BOOTSTRAP_DRAWS, seed: int = ANALYSIS_SEED
) -> StudyComparison:
    """Compare what can be compared, with what there is of studies that are not finished.

    The estimates are those of `estimate`, so intervals hold for questions like these, and for further training seeds where a
    setting was run with several. Tiers are the first study's. Raises RecordError where no question was asked in both.
    """
    both_scores = Scores.of(one, partial=True), Scores.of(other, partial=True)
    shared = [
        name for name in both_scores[0].questions["question"] if name in set(both_scores[1].questions["question"])
    ]
    if not shared:
        raise RecordError(f"{one.name} and {other.name} have no question in common: there is nothing to compare")
    joined = _joined(both_scores, shared)
    pairs = _pairs(joined)
    frames = [estimate(joined, tier, _plans(joined, pairs, tier), draws, seed) for tier in joined.all_and_tiers]
    in_pairs = {line for pair in pairs for line in pair}
    alone = [
        tuple(str(name) for line, name in enumerate(joined.cells["cell"])
              if joined.cells["part"].iloc[line] == part and line not in in_pairs)
        for part in (0, 1)
    ]  # fmt: skip
    return StudyComparison(
        one, other, joined, len(shared), pd.concat(frames, ignore_index=True), _cells(joined, pairs, (one, other)),
        _effects(both_scores), alone[0], alone[1], _fixed(one, other),
    )  # fmt: skip


def _joined(both_scores: tuple[Scores, Scores], shared: list[str]) -> Scores:
    """One scores of both, whose cells know their study (`part`); a setting of one study is never taken for the other's."""
    first, _ = both_scores
    questions = first.questions[first.questions["question"].isin(shared)].reset_index(drop=True)
    cells = pd.concat(
        [scores.cells.assign(part=place, level=scores.cells["category"]) for place, scores in enumerate(both_scores)],
        ignore_index=True,
    )
    cells["category"] = [f"{part}: {level}" for part, level in cells[["part", "level"]].to_numpy()]
    places = [
        pd.Index(scores.questions["question"]).get_indexer(pd.Index(questions["question"])) for scores in both_scores
    ]
    correct_cq, attempts_cq = (
        np.concatenate([getattr(scores, name)[:, place] for scores, place in zip(both_scores, places, strict=True)])
        for name in ("correct_cq", "attempts_cq")
    )
    # Cells of both studies may bear one name, so those that are apart are told by having no plan, thus no rates.
    planned_c: Ints = np.concatenate(
        [
            scores.planned_c // max(len(scores.questions), 1) * len(questions) * ~scores.is_apart_c
            for scores in both_scores
        ]
    )
    tiers = tuple(tier for tier in first.tiers if (questions["tier"] == tier).any())
    return Scores(cells, questions, tiers, first.n_attempts, correct_cq, attempts_cq, planned_c)


def _pairs(joined: Scores) -> list[tuple[int, int]]:
    """Lines of the cells that agree in factors and seeds; those that several cells of a study share are left out."""
    names = [name if name != "category" else "level" for name in _MATCHED_BY]
    keys = [
        repr(tuple(None if pd.isna(value) else value for value in row))
        for row in joined.cells[names].itertuples(index=False)
    ]
    found: dict[str, dict[int, list[int]]] = {}
    for line, (key, part) in enumerate(zip(keys, joined.cells["part"], strict=True)):
        found.setdefault(key, {0: [], 1: []})[int(part)].append(line)
    return [(lines[0][0], lines[1][0]) for lines in found.values() if len(lines[0]) == len(lines[1]) == 1]


def _plans(joined: Scores, pairs: list[tuple[int, int]], tier: str) -> list[WeightedSum]:
    whole_c = np.asarray(np.isfinite(joined.rates_cq(tier)).all(axis=1))
    usable = [(one, other) for one, other in pairs if whole_c[one] and whole_c[other]]
    trained = [pair for pair in usable if not joined.is_base_c[pair[0]]]
    base = [pair for pair in usable if joined.is_base_c[pair[0]]]
    plans = [_plan(joined, {"factor": "all trained cells", "level": None}, trained)]
    plans.append(_plan(joined, {"factor": "base model", "level": None}, base))
    real = joined.cells.assign(category=joined.cells["level"])
    for factor in FACTORS:
        for level in levels(real, factor):
            chosen = [pair for pair in trained if real[factor].iloc[pair[0]] == level]
            plans.append(_plan(joined, {"factor": factor, "level": level}, chosen))
    return plans


def _plan(joined: Scores, labels: dict[str, Any], pairs: list[tuple[int, int]]) -> WeightedSum:
    found = {**labels, "pairs": len(pairs)}
    if not pairs:
        return WeightedSum(found, None, NO_PAIR)
    ones, others = (pd.Index([pair[side] for pair in pairs]) for side in (0, 1))
    return WeightedSum(found, mean_weights(others, len(joined.cells)) - mean_weights(ones, len(joined.cells)))


def _cells(joined: Scores, pairs: list[tuple[int, int]], studies: tuple[Study, Study]) -> pd.DataFrame:
    keys = [{cell["cell"]: cell.get("key") for cell in study.manifest["cells"]} for study in studies]
    averages, names = joined.averages(), joined.cells["cell"].tolist()
    rows = []
    for one, other in pairs:
        row: dict[str, Any] = {"one": names[one], "other": names[other]}
        row["same"] = keys[0].get(names[one]) is not None and keys[0].get(names[one]) == keys[1].get(names[other])
        for tier in joined.all_and_tiers:
            row |= {f"one_{tier}": averages[tier].iloc[one], f"other_{tier}": averages[tier].iloc[other]}
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
    one, other = (
        factor_effects(scores, draws=0).dropna(subset=["reference", "estimate"])[
            [*labels, "pairs", "estimate", "low", "high", "p_holm", "reason"]
        ]
        for scores in both_scores
    )
    return one.merge(other, on=labels, suffixes=("_one", "_other"))


def _fixed(one: Study, other: Study) -> tuple[tuple[str, str, str], ...]:
    """(name, value there, value here) of what was held fixed at different values, or the evaluation differed in."""
    flat = [_flat((study.manifest.get("fixed") or [{}])[0]) for study in (one, other)]
    flat[0] |= {"attempts a question": str(one.n_attempts)}
    flat[1] |= {"attempts a question": str(other.n_attempts)}
    for told, study in zip(flat, (one, other), strict=True):
        told |= {name: "; ".join(found) for name, found in judges(study.results).items()}
    names = sorted({*flat[0], *flat[1]})
    return tuple(
        (name, flat[0].get(name, "–"), flat[1].get(name, "–"))
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    )


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in content.items():
        path = f"{above}{name}"
        found |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: str(value)}
    return found
