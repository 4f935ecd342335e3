"""Correct attempts of every cell at every question, and the cells that are complete enough to be averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation.analysis.records.decided import decided
from ablation.analysis.records.evaluators import apart, judges, mixed
from ablation.analysis.records.load import ALL, SEED_COLUMNS, Study
from ablation.errors import RecordError
from ablation.specs.vocabulary import FACTORS, CellState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One combination of factors. Its cells differ in their seeds alone."""

    number: int
    """The value that its cells have in `Scores.setting_c`; the column `arm` of tables."""
    rows: Ints
    """The rows of its cells in the arrays of the scores."""
    levels: dict[str, Any]
    """Factor → level."""


@dataclass(frozen=True)
class Scores:
    """Counts of attempts, cells × questions, with the tables that name the rows and columns."""

    cells: pd.DataFrame
    """One row per row of the arrays, as in the records."""
    questions: pd.DataFrame
    """One row per column of the arrays, tier by tier; columns `question`, `tier`."""
    tiers: tuple[str, ...]
    """The tiers in the order of the manifest, then any that occur in the results alone."""
    n_attempts: int
    """Planned attempts per question: the n of avg@n."""
    correct_cq: Ints
    """Correct attempts."""
    attempts_cq: Ints
    """Attempts with a verdict of any kind."""
    planned_c: Ints
    """Planned attempts of a cell over all questions."""
    apart: frozenset[str] = frozenset()
    """Cells that keep their counts and have no rates, because their evaluator differs from the others'."""

    @classmethod
    def of(cls, study: Study, partial: bool = False) -> "Scores":
        """Count the study's results.

        Raises RecordError when attempts are missing or the rows come from several evaluators, unless `partial` is true.
        Then a cell keeps its counts, but has no rates and takes part in no average, if it has too few attempts, attempts
        of several evaluators, or another evaluator than most cells.
        """
        scores = cls.counted(study.cells, study.results, study.tiers, study.n_attempts, study.planned)
        scores = replace(scores, apart=frozenset(apart(study)))
        if not partial and (faults := shortcomings(study, scores)):
            raise RecordError(f"{' '.join(faults)} Pass partial=True to average the cells that are whole.")
        return scores

    @classmethod
    def counted(
        cls, cells: pd.DataFrame, results: pd.DataFrame, tiers: Sequence[str], n: int, planned: Mapping[str, int]
    ) -> "Scores":
        """Count results, complete or not, cell by cell; `planned` is cell → planned attempts over all questions."""
        names = [str(name) for name in cells["cell"]]
        questions = questions_of(results, tiers)
        correct_cq, attempts_cq = count(results, names, questions["question"].tolist())
        planned_c = np.array([planned[name] for name in names], dtype=np.int64)
        several = frozenset(mixed(results))
        return cls(
            cells.reset_index(drop=True), questions, tuple(tiers), n, correct_cq, attempts_cq, planned_c, several
        )

    def only(self, chosen_c: Mask) -> "Scores":
        """Return the scores of the chosen cells alone."""
        return Scores(
            self.cells[chosen_c].reset_index(drop=True), self.questions, self.tiers, self.n_attempts,
            self.correct_cq[chosen_c], self.attempts_cq[chosen_c], self.planned_c[chosen_c], self.apart,
        )  # fmt: skip

    @property
    def all_and_tiers(self) -> tuple[str, ...]:
        """`ALL`, which stands for every question, and then each tier."""
        return (ALL, *self.tiers)

    @cached_property
    def is_base_c(self) -> Mask:
        """True for cells of the untrained base model."""
        return (self.cells["count"] == 0).fillna(False).to_numpy(dtype=bool)

    @cached_property
    def is_apart_c(self) -> Mask:
        """True for cells that have no rates because evaluators differ."""
        return self.cells["cell"].isin(self.apart).to_numpy(dtype=bool)

    @cached_property
    def has_twin_c(self) -> Mask:
        """True for cells that share all factors and seeds with another cell: the records do not tell them apart."""
        return self.cells.duplicated([*FACTORS, *SEED_COLUMNS], keep=False).to_numpy(dtype=bool)

    @cached_property
    def setting_c(self) -> Ints:
        """The number of each cell's setting. Cells with one number differ in their seeds alone."""
        settings = self.cells.groupby(list(FACTORS), dropna=False, sort=False)
        setting_c: Ints = settings.ngroup().to_numpy().astype(np.int64)
        return setting_c

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The settings, in the order of their first cells."""
        order = np.argsort(self.setting_c, kind="stable")
        starts = np.flatnonzero(np.diff(self.setting_c[order])) + 1
        rows_by_setting = [rows.astype(np.int64) for rows in np.split(order, starts)] if len(order) else []
        factor_levels = self.cells.iloc[[rows[0] for rows in rows_by_setting]][list(FACTORS)].to_dict("records")
        settings = [
            Setting(int(self.setting_c[rows[0]]), rows, {str(name): level for name, level in levels.items()})
            for rows, levels in zip(rows_by_setting, factor_levels, strict=True)
        ]
        return tuple(sorted(settings, key=lambda setting: setting.rows[0]))

    @cached_property
    def n_seeds(self) -> int:
        """The number of distinct replicate seeds among the trained cells."""
        return len(self.cells.loc[~self.is_base_c, list(SEED_COLUMNS)].drop_duplicates())

    def in_tier_q(self, tier: str) -> Mask:
        """Return a mask of the questions of a tier; of every question for `ALL`."""
        return marked_q(self.questions, tier)

    def rates_cq(self, tier: str) -> Floats:
        """Return the share of correct attempts at the questions of `tier` (`ALL` for every question).

        NaN throughout a cell that is incomplete there, or apart.
        """
        inside_q = self.in_tier_q(tier)
        rates_cq = self.correct_cq[:, inside_q] / np.maximum(self.attempts_cq[:, inside_q], 1)
        rates_cq[~complete_c(self.attempts_cq, self.planned_c, inside_q) | self.is_apart_c] = np.nan
        return rates_cq

    def averages(self) -> pd.DataFrame:
        """Return avg@n by cell (rows, as in `cells`) and tier (columns); NaN where incomplete, apart or without questions."""
        return pd.DataFrame({tier: mean_or_nan(self.rates_cq(tier)) for tier in self.all_and_tiers})


def questions_of(results: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """Return the questions that occur (columns `question`, `tier`), tier by tier and by name."""
    questions = results[["question", "tier"]].drop_duplicates()
    rank = questions["tier"].map({tier: position for position, tier in enumerate(tiers)})
    return questions.assign(rank=rank).sort_values(["rank", "question"])[["question", "tier"]].reset_index(drop=True)


def marked_q(questions: pd.DataFrame, tier: str) -> Mask:
    """Return a mask of the `questions` of a tier; of every question for `ALL`."""
    return (questions["tier"] == tier).to_numpy(dtype=bool) | (tier == ALL)


def count(results: pd.DataFrame, cells: Sequence[str], questions: Sequence[str]) -> tuple[Ints, Ints]:
    """Return (correct attempts, all attempts), each of shape cells × questions."""
    shape = (len(cells), len(questions))
    row: Ints = pd.Index(cells).get_indexer(pd.Index(results["cell"])).astype(np.int64)
    column: Ints = pd.Index(questions).get_indexer(pd.Index(results["question"])).astype(np.int64)
    flat = row * shape[1] + column
    is_correct = (results["verdict"] == "correct").to_numpy(dtype=bool)
    correct, attempts = (np.bincount(part, minlength=shape[0] * shape[1]) for part in (flat[is_correct], flat))
    return correct.reshape(shape).astype(np.int64), attempts.reshape(shape).astype(np.int64)


def complete_c(attempts_cq: Ints, planned_c: Ints, inside_q: Mask) -> Mask:
    """Return a mask of the cells that have every planned attempt at the questions marked in `inside_q`.

    A cell plans equally many attempts at each question. A question that no cell has reached is not among the columns.
    The plan divided by the columns then asks for more than any question has, so no cell passes for complete by mistake.
    """
    n_questions = attempts_cq.shape[1]
    whole_cq = attempts_cq * n_questions == planned_c[:, None]
    complete: Mask = whole_cq[:, inside_q].all(axis=1) & (planned_c > 0) & (n_questions > 0)
    return complete


def mean_or_nan(values_cq: Floats) -> Floats:
    """Return the mean of each row; NaN for rows without columns."""
    return values_cq.mean(axis=1) if values_cq.shape[1] else np.full(len(values_cq), np.nan)


def shortcomings(study: Study, scores: Scores) -> list[str]:
    """Return the reasons against averaging this study, one sentence each; empty when it is complete and of one evaluator."""
    present = coverage(study, scores)
    # A curtailed cell, and a mixed one that has all its attempts, lack none. They get sentences of their own below.
    whole = present["complete"] | present["curtailed"] | (present["mixed"] & (present["present"] == present["planned"]))
    short = present[~whole]
    ended = int(present["curtailed"].sum())
    sentences = []
    if not short.empty:
        failed = int((short["state"] == CellState.FAILED).sum())
        sentences.append(
            f"Incomplete: {len(short)} of {len(present):,} cell{'' if len(present) == 1 else 's'} ({failed} failed) lack "
            f"attempts; {int(present['present'].sum()):,} of {int(present['planned'].sum()):,} planned attempts are present."
        )
    if ended:
        sentences.append(
            f"Curtailed: {ended} of {len(present):,} cells ended as soon as their pass line was decided; they have "
            f"an answer, and avg@{study.n_attempts} and cov@{study.n_attempts} are undefined for them."
        )
    sentences += [
        f"Mixed: the attempts were judged by {len(kinds)} kinds of {name} ({', '.join(kinds)}); {_counted_apart(scores)}."
        for name, kinds in judges(study.results).items()
        if len(kinds) > 1
    ]
    return sentences


def _counted_apart(scores: Scores) -> str:
    n_apart = int(scores.is_apart_c.sum())
    return f"{n_apart} of {len(scores.cells):,} cells have several, or another than most cells with factors"


def coverage(study: Study, scores: Scores) -> pd.DataFrame:
    """Return planned against present attempts, one row per cell: `cell state planned present complete curtailed mixed reason`.

    `reason` says why a cell is not complete, or is compared with none; it is `""` for all others. A `mixed` cell (of
    several evaluators) is not complete. A cell of another evaluator than most is complete and compared with none. A
    curtailed cell has an answer to its pass line and no result that counts, so it is not complete; `present` is then the
    number of attempts that the answer took.
    """
    answers = {str(row["cell"]): row for row in decided(study).to_dict("records")}
    present_c = scores.attempts_cq.sum(axis=1)
    separate, several, errors = apart(study), mixed(study.results), study.errors
    whole_c = complete_c(scores.attempts_cq, scores.planned_c, scores.in_tier_q(ALL))
    whole_c &= ~scores.cells["cell"].isin(several).to_numpy()
    frame = scores.cells[["cell", "state"]].assign(planned=scores.planned_c, present=present_c, complete=whole_c)
    frame["curtailed"] = frame["cell"].isin(answers)
    frame["mixed"] = frame["cell"].isin(several)
    frame["reason"] = [_reason(row, errors, separate.get(row["cell"], "")) for row in frame.to_dict("records")]
    for row, answer in ((row, answers[cell]) for row, cell in enumerate(frame["cell"]) if cell in answers):
        frame.loc[row, ["present", "reason"]] = [
            answer["attempts"],
            f"{answer['line']}: {answer['answer']}, so it ended",
        ]
    return frame


def _reason(row: Mapping[Any, Any], errors: Mapping[str, str], separate: str) -> str:
    return "; ".join(reason for reason in (_shortage(row, errors), separate) if reason)


def _shortage(row: Mapping[Any, Any], errors: Mapping[str, str]) -> str:
    missing = row["planned"] - row["present"]
    if row["complete"] or (row["mixed"] and missing == 0):
        return ""
    # The right number of attempts, yet incomplete: they lie at questions that other cells do not have.
    if missing == 0:
        return "asked other questions than other cells"
    if row["cell"] in errors:
        return errors[row["cell"]]
    if missing < 0:
        return "more attempts than planned"
    return "not run" if row["present"] == 0 else f"{missing:,} attempts missing"
