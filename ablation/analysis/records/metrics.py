"""avg@n, cov@k, maj@k and the shares of attempts that gave nothing to grade."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ablation.analysis.records.evaluators import mixed
from ablation.analysis.records.load import ALL
from ablation.analysis.records.scores import Floats, complete_c, count, marked_q, mean_or_nan, questions_of
from ablation.data.benchmark.answers import canonical_answer

_NOTHING_TO_COMPARE = ("no_answer", "truncated", "ungradable")
RIGHT, NOBODY = "\0right", "\0nobody"  # no answer reads like these


def avg(correct: ArrayLike, attempts: ArrayLike) -> Floats:
    """Return the share of correct attempts, c / n, elementwise; NaN without attempts. It estimates pass@1 whatever n is.

    >>> avg([0, 3, 4], 4)
    array([0.  , 0.75, 1.  ])
    """
    c, n = np.asarray(correct, dtype=np.float64), np.asarray(attempts, dtype=np.float64)
    share: Floats = np.divide(c, n, out=np.full(np.broadcast(c, n).shape, np.nan), where=n > 0)
    return share


def cov(correct: ArrayLike, attempts: ArrayLike, k: int) -> Floats:
    """Return the chance that k of the n attempts, drawn without replacement, hold a correct one, elementwise.

    1 − C(n−c, k) / C(n, k), unbiased for pass@k (Chen et al. 2021, arXiv 2107.03374, equation 1); NaN where k > n.
    Values of cov@n at different n are not comparable: take a common k. Raises ValueError for k below 1.

    >>> cov([0, 1, 2, 4], 4, k=2).round(3)
    array([0.   , 0.5  , 0.833, 1.   ])
    """
    if k < 1:
        raise ValueError(f"k is the number of attempts looked at and must be at least 1, not {k}")
    c, n = np.broadcast_arrays(np.asarray(correct, dtype=np.float64), np.asarray(attempts, dtype=np.float64))
    # C(n−c, k) / C(n, k) as a product, one draw after the other: exact for any n, without large binomials.
    none_correct = np.ones(c.shape)
    for drawn in range(k):
        none_correct *= np.maximum(n - c - drawn, 0) / np.maximum(n - drawn, 1)
    return np.where(k <= n, 1 - none_correct, np.nan)


def cov_prefix(correct_by_attempt: ArrayLike, k: int) -> Floats:
    """Return 1 where one of the first k attempts (last axis, in order) is correct, else 0: the study's own cov@k.

    The same expectation as `cov` where attempts are exchangeable, with more noise; NaN where there are fewer than k.
    Raises ValueError for k below 1.
    """
    solved = np.asarray(correct_by_attempt, dtype=bool)
    if k < 1:
        raise ValueError(f"k is the number of attempts looked at and must be at least 1, not {k}")
    if k > solved.shape[-1]:
        return np.full(solved.shape[:-1], np.nan)
    return np.asarray(solved[..., :k].any(axis=-1), dtype=np.float64)


def maj(correct_by_attempt: ArrayLike, answers_by_attempt: Sequence[str | None], k: int) -> float:
    """Return maj@k of one question: the chance that the most frequent answer of the first k attempts is right.

    Ties are broken at random. Correct attempts vote together, whatever form their answers have. Other attempts vote for
    their answer, and those without one (None) do not vote. 0 without any vote, NaN where there are fewer than k attempts.
    Raises ValueError for k below 1.

    >>> maj([True, False, False], ["7", "12", None], k=3)
    0.5
    """
    correct = np.asarray(correct_by_attempt, dtype=bool)
    if k < 1:
        raise ValueError(f"k is the number of attempts looked at and must be at least 1, not {k}")
    if k > len(correct):
        return float("nan")
    return maj_of(_votes(correct[:k].tolist(), answers_by_attempt[:k]))


def maj_of(votes: Sequence[str]) -> float:
    """Return `maj` of votes, each for an answer, RIGHT or NOBODY."""
    counts = Counter(vote for vote in votes if vote != NOBODY)
    tied = [answer for answer, count in counts.items() if count == max(counts.values())]
    return (RIGHT in tied) / max(len(tied), 1)


def _votes(correct: Sequence[bool], answers: Sequence[str | None]) -> list[str]:
    return [
        RIGHT if right else canonical_answer(str(answer)) if answer else NOBODY
        for right, answer in zip(correct, answers, strict=True)
    ]


def answers_recorded(results: pd.DataFrame) -> bool:
    """Return True when the records have single attempts with their answers.

    Counts alone know neither the answers nor their order.
    """
    return "extracted" in results and bool((results["extracted"].notna() | (results["verdict"] == "no_answer")).any())


def votes_by_question(results: pd.DataFrame) -> dict[str, list[tuple[str, list[str] | None]]]:
    """Return cell → (tier, votes in the order of the attempts) of each question; None where the records have no answers."""
    ordered = results.sort_values("attempt", kind="stable")
    has_answers = answers_recorded(ordered)
    ordered = ordered.assign(right=(ordered["verdict"] == "correct").to_numpy(dtype=bool))
    votes_by_cell: dict[str, list[tuple[str, list[str] | None]]] = {}
    for (cell, _, tier), group in ordered.groupby(["cell", "question", "tier"], sort=False):
        votes = _votes(group["right"].tolist(), _answers(group)) if has_answers else None
        votes_by_cell.setdefault(str(cell), []).append((str(tier), votes))
    return votes_by_cell


def maj_table(results: pd.DataFrame, tiers: Sequence[str], k: int) -> pd.DataFrame:
    """Return maj@k by cell (rows) and tier (columns, `all` first), the mean over questions.

    NaN where a question has fewer than k attempts, and throughout without the column `extracted`: counts alone do not say
    which wrong answers agree.
    """
    ordered = results.sort_values("attempt")
    has_answers = answers_recorded(ordered)
    rows = [
        (cell, question, tier, maj(group["verdict"] == "correct", _answers(group), k) if has_answers else np.nan)
        for (cell, question, tier), group in ordered.groupby(["cell", "question", "tier"], sort=False)
    ]
    frame = pd.DataFrame(rows, columns=["cell", "question", "tier", "maj"])
    columns = {
        tier: frame[(frame["tier"] == tier) | (tier == ALL)]
        .groupby("cell")["maj"]
        .agg(lambda share: share.mean(skipna=False))
        for tier in (ALL, *tiers)
    }
    return pd.DataFrame(columns, dtype=np.float64)


def _answers(group: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(answer) else str(answer) for answer in group["extracted"]]


def cell_table(results: pd.DataFrame, planned: Mapping[str, int], tiers: Sequence[str]) -> pd.DataFrame:
    """Return one row per planned cell, in the order of `planned` (cell → planned attempts over all questions).

    Columns: `cell planned present`, the fractions `avg_{tier}` (avg@n) and `cov_{tier}` (cov@n) of each tier and of `all`,
    then `no_answer_rate truncated_rate ungradable_rate` (of all attempts). NaN where attempts are missing, where a
    cell's attempts come from several evaluators, or where a tier has no question.
    """
    names, questions = list(planned), questions_of(results, [*tiers, *results["tier"].unique()])
    correct_cq, attempts_cq = count(results, names, questions["question"].tolist())
    planned_c = np.array(list(planned.values()), dtype=np.int64)
    single_c = ~np.isin(names, list(mixed(results)))
    table = pd.DataFrame({"cell": names, "planned": planned_c, "present": attempts_cq.sum(axis=1)})
    for tier in (*tiers, ALL):
        inside_q = marked_q(questions, tier)
        whole_c = complete_c(attempts_cq, planned_c, inside_q) & single_c
        correct, attempts = correct_cq[:, inside_q], attempts_cq[:, inside_q]
        table[f"avg_{tier}"] = np.where(whole_c, mean_or_nan(avg(correct, attempts)), np.nan)
        solved_by_any = np.asarray(correct > 0, dtype=np.float64)  # what `cov` gives at k = n
        table[f"cov_{tier}"] = np.where(whole_c, mean_or_nan(solved_by_any), np.nan)
    shares = verdict_rates(results, names).to_numpy(copy=True)
    shares[~(complete_c(attempts_cq, planned_c, marked_q(questions, ALL)) & single_c)] = np.nan
    return table.assign(**{f"{verdict}_rate": shares[:, column] for column, verdict in enumerate(_NOTHING_TO_COMPARE)})


def verdict_rates(results: pd.DataFrame, cells: Sequence[str]) -> pd.DataFrame:
    """Return `no_answer_rate`, `truncated_rate`, `ungradable_rate` of the attempts present, one row per cell.

    NaN without attempts.
    """
    rows = pd.Index(cells, name="cell")
    shares = {
        f"{verdict}_rate": (results["verdict"] == verdict).groupby(results["cell"]).mean().reindex(rows)
        for verdict in _NOTHING_TO_COMPARE
    }
    return pd.DataFrame(shares, index=rows, dtype=np.float64)
