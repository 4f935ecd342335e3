"""Correct attempts of every cell at every question, and which of them are complete enough to be averaged.

Array suffixes: c cell, q question.
"""

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
from ablation.specs.vocabulary import FACTORS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One combination of factors: its number, the lines of its cells, which differ in their seeds alone, and its levels."""

    arm: int
    lines: Ints
    levels: dict[str, Any]


@dataclass(frozen=True)
class Scores:
    """Counts of attempts, with what their lines and columns stand for.

    `cells` has a row for each line of the arrays, `questions` (columns `question`, `tier`; tier by tier) one for each
    column. `n_attempts` is the n of avg@n. Cells named in `apart` keep their counts and have no rates, since evaluators differ.
    """

    cells: pd.DataFrame
    questions: pd.DataFrame
    tiers: tuple[str, ...]
    n_attempts: int
    correct_cq: Ints
    attempts_cq: Ints
    planned_c: Ints
    apart: frozenset[str] = frozenset()

    @classmethod
    def of(cls, study: Study, partial: bool = False) -> "Scores":
        """Count the study's results.

        Raises RecordError when attempts are missing or the rows come from several evaluators, unless `partial` asks for
        what there is: a cell with too few attempts, with attempts of several evaluators or with another evaluator than most
        cells then keeps its counts, but has no rates and takes part in no average.
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
        """Count results whatever they lack, cell by cell; `planned` is cell → planned attempts over all questions."""
        names = [str(name) for name in cells["cell"]]
        questions = questions_of(results, tiers)
        correct_cq, attempts_cq = count(results, names, questions["question"].tolist())
        planned_c = np.array([planned[name] for name in names], dtype=np.int64)
        several = frozenset(mixed(results))
        return cls(
            cells.reset_index(drop=True), questions, tuple(tiers), n, correct_cq, attempts_cq, planned_c, several
        )

    def only(self, chosen_c: Mask) -> "Scores":
        """The scores of the chosen cells alone."""
        return Scores(
            self.cells[chosen_c].reset_index(drop=True), self.questions, self.tiers, self.n_attempts,
            self.correct_cq[chosen_c], self.attempts_cq[chosen_c], self.planned_c[chosen_c], self.apart,
        )  # fmt: skip

    @property
    def all_and_tiers(self) -> tuple[str, ...]:
        """Every question first, then tier by tier."""
        return (ALL, *self.tiers)

    @cached_property
    def is_base_c(self) -> Mask:
        """Which cells are the untrained base model."""
        return (self.cells["count"] == 0).fillna(False).to_numpy(dtype=bool)

    @cached_property
    def is_apart_c(self) -> Mask:
        """Which cells have no rates because evaluators differ."""
        return self.cells["cell"].isin(self.apart).to_numpy(dtype=bool)

    @cached_property
    def has_twin_c(self) -> Mask:
        """Which cells share all their factors and seeds with another, so that the records do not tell them apart."""
        return self.cells.duplicated([*FACTORS, *SEED_COLUMNS], keep=False).to_numpy(dtype=bool)

    @cached_property
    def arm_c(self) -> Ints:
        """The setting of each cell, numbered: cells that share it differ in their seeds alone."""
        settings = self.cells.groupby(list(FACTORS), dropna=False, sort=False)
        arm_c: Ints = settings.ngroup().to_numpy().astype(np.int64)
        return arm_c

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The settings in the order in which their first cells come."""
        order = np.argsort(self.arm_c, kind="stable")
        starts = np.flatnonzero(np.diff(self.arm_c[order])) + 1
        runs = [lines.astype(np.int64) for lines in np.split(order, starts)] if len(order) else []
        levels = self.cells.iloc[[lines[0] for lines in runs]][list(FACTORS)].to_dict("records")
        found = [
            Setting(int(self.arm_c[lines[0]]), lines, {str(name): level for name, level in one.items()})
            for lines, one in zip(runs, levels, strict=True)
        ]
        return tuple(sorted(found, key=lambda setting: setting.lines[0]))

    @cached_property
    def n_seeds(self) -> int:
        """Distinct replicate seeds among the trained cells."""
        return len(self.cells.loc[~self.is_base_c, list(SEED_COLUMNS)].drop_duplicates())

    def in_tier_q(self, tier: str) -> Mask:
        """Which questions belong to a tier, or to all of them."""
        return marked_q(self.questions, tier)

    def rates_cq(self, tier: str) -> Floats:
        """Share of correct attempts at the questions of `tier`; NaN throughout a cell that is incomplete there or apart."""
        inside_q = self.in_tier_q(tier)
        rates_cq = self.correct_cq[:, inside_q] / np.maximum(self.attempts_cq[:, inside_q], 1)
        rates_cq[~complete_c(self.attempts_cq, self.planned_c, inside_q) | self.is_apart_c] = np.nan
        return rates_cq

    def averages(self) -> pd.DataFrame:
        """avg@n by cell (rows, as in `cells`) and tier (columns); NaN where incomplete, apart or without questions."""
        return pd.DataFrame({tier: mean_or_nan(self.rates_cq(tier)) for tier in self.all_and_tiers})


def questions_of(results: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """The questions that occur (columns `question`, `tier`), tier by tier and by name."""
    questions = results[["question", "tier"]].drop_duplicates()
    place = questions["tier"].map({tier: position for position, tier in enumerate(tiers)})
    return questions.assign(place=place).sort_values(["place", "question"])[["question", "tier"]].reset_index(drop=True)


def marked_q(questions: pd.DataFrame, tier: str) -> Mask:
    """Which of `questions` belong to a tier, or to all of them."""
    return (questions["tier"] == tier).to_numpy(dtype=bool) | (tier == ALL)


def count(results: pd.DataFrame, cells: Sequence[str], questions: Sequence[str]) -> tuple[Ints, Ints]:
    """(correct, all) attempts, each of shape cells × questions."""
    shape = (len(cells), len(questions))
    line: Ints = pd.Index(cells).get_indexer(pd.Index(results["cell"])).astype(np.int64)
    column: Ints = pd.Index(questions).get_indexer(pd.Index(results["question"])).astype(np.int64)
    flat = line * shape[1] + column
    is_correct = (results["verdict"] == "correct").to_numpy(dtype=bool)
    correct, attempts = (np.bincount(part, minlength=shape[0] * shape[1]) for part in (flat[is_correct], flat))
    return correct.reshape(shape).astype(np.int64), attempts.reshape(shape).astype(np.int64)


def complete_c(attempts_cq: Ints, planned_c: Ints, inside_q: Mask) -> Mask:
    """Which cells have every planned attempt at the questions marked in `inside_q`.

    A cell plans equally many attempts at each question. A question that no cell has reached is not among the columns;
    the plan divided by the columns then asks for more than any question has, so nothing passes for complete by mistake.
    """
    n_questions = attempts_cq.shape[1]
    whole_cq = attempts_cq * n_questions == planned_c[:, None]
    complete: Mask = whole_cq[:, inside_q].all(axis=1) & (planned_c > 0) & (n_questions > 0)
    return complete


def mean_or_nan(values_cq: Floats) -> Floats:
    """The mean of each line; NaN for lines without columns."""
    return values_cq.mean(axis=1) if values_cq.shape[1] else np.full(len(values_cq), np.nan)


def shortcomings(study: Study, scores: Scores) -> list[str]:
    """What speaks against averaging this study as it is, one sentence each; nothing when all is there and of one kind."""
    present = coverage(study, scores)
    whole = present["complete"] | present["curtailed"] | (present["mixed"] & (present["present"] == present["planned"]))
    short = present[~whole]
    ended = int(present["curtailed"].sum())
    found = []
    if not short.empty:
        failed = int((short["state"] == "failed").sum())
        found.append(
            f"Incomplete: {len(short)} of {len(present):,} cell{'' if len(present) == 1 else 's'} ({failed} failed) lack "
            f"attempts; {int(present['present'].sum()):,} of {int(present['planned'].sum()):,} planned attempts are present."
        )
    if ended:
        found.append(
            f"Curtailed: {ended} of {len(present):,} cells ended as soon as their pass line was decided; they have "
            f"an answer, and avg@{study.n_attempts} and cov@{study.n_attempts} are undefined for them."
        )
    found += [
        f"Mixed: the attempts were judged by {len(kinds)} kinds of {name} ({', '.join(kinds)}); {_counted_apart(scores)}."
        for name, kinds in judges(study.results).items()
        if len(kinds) > 1
    ]
    return found


def _counted_apart(scores: Scores) -> str:
    n_apart = int(scores.is_apart_c.sum())
    return f"{n_apart} of {len(scores.cells):,} cells have several, or another than most cells with factors"


def coverage(study: Study, scores: Scores) -> pd.DataFrame:
    """Planned against present, one row a cell: `cell state planned present complete curtailed mixed reason`.

    `reason`: why a cell is not complete or compared with none; `""` for all others. A `mixed` cell, of several evaluators, is
    not complete; one of another evaluator than most is complete and compared with none. A curtailed cell has an answer to
    its pass line and no result that counts, so it is not complete; `present` is what it took.
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
    for at, answer in ((at, answers[cell]) for at, cell in enumerate(frame["cell"]) if cell in answers):
        frame.loc[at, ["present", "reason"]] = [
            answer["attempts"],
            f"{answer['line']}: {answer['answer']}, so it ended",
        ]
    return frame


def _reason(row: Mapping[Any, Any], errors: Mapping[str, str], separate: str) -> str:
    return "; ".join(told for told in (_shortage(row, errors), separate) if told)


def _shortage(row: Mapping[Any, Any], errors: Mapping[str, str]) -> str:
    missing = row["planned"] - row["present"]
    if row["complete"] or (row["mixed"] and missing == 0):
        return ""
    if missing == 0:
        return "asked other questions than other cells"
    if row["cell"] in errors:
        return errors[row["cell"]]
    if missing < 0:
        return "more attempts than planned"
    return "not run" if row["present"] == 0 else f"{missing:,} attempts missing"
