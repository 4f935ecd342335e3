"""Do cells solve a question the same way? Mean likeness of their texts, between cells and within them.

Array suffixes: c cell, q question, t text, d dimension of a sketch, g set of cells every two of which are compared.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import stdtrit

from ablation.analysis.effects.factor_effects import NO_MATCH, ONE_LEVEL
from ablation.analysis.effects.uncertainty import CONFIDENCE, MIN_QUESTIONS, NO_QUESTIONS, TOO_FEW_QUESTIONS
from ablation.analysis.records.load import ALL
from ablation.analysis.records.matching import comparable, level_pairs, levels, matched_sets
from ablation.analysis.records.scores import Floats, Ints, Mask, Scores
from ablation.analysis.texts.prose import DIMENSIONS, sketches
from ablation.specs.vocabulary import FACTORS

Embed = Callable[[Sequence[str]], Floats]  # texts → rows of unit length, their inner product being the likeness
NO_TEXTS = "no completions recorded for these cells"
NO_REPLICATE = "no setting was run with two seeds"
SIMILARITY_COLUMNS = (
    "factor", "level", "reference", "pairs", "tier", "questions", "between", "within", "chance", "difference", "se", "low",
    "high", "reason",
)  # fmt: skip
_LARGEST = 1 << 26  # entries of the sums: 256 MB


class Sketches:
    """Sums of the texts' sketches by cell and question, filled batch by batch.

    The mean likeness of all pairs of texts of two cells is the inner product of their mean sketches, so no pair is ever
    looked at by itself. `embed` replaces the sketch of word runs by embeddings of a model.
    """

    def __init__(self, scores: Scores, embed: Embed | None = None) -> None:
        """Nothing seen yet. Large studies get fewer dimensions, at least 256."""
        self.scores = scores
        self._embed = embed
        shape = scores.correct_cq.shape
        room = max(_LARGEST // max(shape[0] * shape[1], 1), 256)
        self._dimensions = min(DIMENSIONS, 1 << (room.bit_length() - 1))
        self._sum_rd: NDArray[np.float32] | None = None
        self.texts_cq: Ints = np.zeros(shape, dtype=np.int64)
        self._looked_at: dict[bytes, tuple[Floats, Floats]] = {}

    def add(self, texts: pa.Array, cell_t: Ints, question_t: Ints) -> None:
        """Add texts, none of them null, with the line and column of the scores that each belongs to."""
        n_questions = self.texts_cq.shape[1]
        rows, row_t = np.unique(cell_t * n_questions + question_t, return_inverse=True)
        if self._embed is None:
            vectors = sketches(texts, self._dimensions)
        else:
            vectors = csr_array(np.asarray(self._embed(texts.to_pylist()), dtype=np.float32))
        member = csr_array((np.ones(len(row_t), np.float32), (row_t, np.arange(len(row_t)))), (len(rows), len(row_t)))
        self._forget()
        if self._sum_rd is None:
            self._sum_rd = np.zeros((self.texts_cq.size, vectors.shape[1]), dtype=np.float32)
        self._sum_rd[rows] += (member @ vectors).toarray()
        np.add.at(self.texts_cq.reshape(-1), rows, np.bincount(row_t, minlength=len(rows)))

    def contrasts(self) -> pd.DataFrame:
        """One row a contrast of levels and tier, and one for seeds: are texts less alike across than within cells?

        Columns: `factor level reference pairs tier questions between within chance difference se low high reason`. `between`:
        mean likeness of attempts at a question of two cells that differ in this factor alone, over the matched `pairs`;
        `within`: of two attempts of one and the same of these cells; `chance`: of attempts at two different questions.
        `difference` = within − between: 0 where the level leaves no trace in how questions are solved. Its interval is Student's
        over questions (questions like these; what training seeds add is not included).
        """
        rows = []
        for tier in self.scores.all_and_tiers:
            cells = comparable(self.scores, tier)
            rows += [self._row(labels, sets, tier, reason) for labels, sets, reason in _sets(self.scores, cells)]
        return pd.DataFrame(rows, columns=list(SIMILARITY_COLUMNS))

    def matrix(self, tier: str = ALL) -> pd.DataFrame:
        """Mean likeness of every two cells over the questions of the tier: cells × cells, on the diagonal within the cell.

        Only cells with texts at every question of the tier; empty where there is none.
        """
        inside_q = np.flatnonzero(self.scores.in_tier_q(tier))
        lines = np.flatnonzero((self.texts_cq[:, inside_q] > 0).all(axis=1)) if len(inside_q) else np.empty(0, np.int64)
        total = np.zeros((len(lines), len(lines)))
        for q in inside_q if len(lines) else ():
            mean_cd = self._means(int(q))[lines]
            total += mean_cd @ mean_cd.T
        total /= max(len(inside_q), 1)
        if len(lines):
            np.fill_diagonal(total, self._within(lines, inside_q).mean(axis=1))
        names = self.scores.cells["cell"].iloc[lines].tolist()
        return pd.DataFrame(total, index=names, columns=names)

    def _row(self, labels: dict[str, object], sets_gc: csr_array, tier: str, reason: str) -> dict[str, object]:
        inside_q = np.flatnonzero(self.scores.in_tier_q(tier))
        row = {**dict.fromkeys(SIMILARITY_COLUMNS, np.nan), **labels, "tier": tier, "questions": len(inside_q)}
        if not len(inside_q):
            return row | {"pairs": 0, "reason": NO_QUESTIONS}
        if sets_gc.nnz:
            sets_gc = _of_two(_without(sets_gc, ~np.asarray((self.texts_cq > 0).all(axis=1), dtype=bool)))
            reason = "" if sets_gc.nnz else NO_TEXTS
        others_g = sets_gc.sum(axis=1) - 1  # with how many each member of a set is compared
        row |= {"pairs": round(float(others_g @ (others_g + 1)) / 2), "reason": reason}
        if not sets_gc.nnz:
            return row
        between_q, chance_q = (found_q[inside_q] for found_q in self._between(sets_gc))
        times_c = others_g @ sets_gc
        lines = np.flatnonzero(times_c)
        within_q = np.average(self._within(lines, inside_q), axis=0, weights=times_c[lines])
        apart_q = within_q - between_q
        row |= {
            "between": between_q.mean(),
            "within": within_q.mean(),
            "chance": chance_q.mean(),
            "difference": apart_q.mean(),
        }
        if len(inside_q) < MIN_QUESTIONS:
            return row | {"reason": TOO_FEW_QUESTIONS}
        if not np.isfinite(apart_q).all():
            return row | {"reason": "one attempt a question: nothing to compare with within a cell"}
        se = float(apart_q.std(ddof=1) / np.sqrt(len(apart_q)))
        half = se * float(stdtrit(len(apart_q) - 1, (1 + CONFIDENCE) / 2))
        return row | {"se": se, "low": row["difference"] - half, "high": row["difference"] + half}  # type: ignore[operator]

    def _between(self, sets_gc: csr_array) -> tuple[Floats, Floats]:
        """(likeness at the same question, at different ones), by question, means over every two cells of a set.

        Over the two orders of a pair, Σ mᵢ·tⱼ = (Σ m)·(Σ t) − Σ mᵢ·tᵢ: no pair is ever looked at by itself.
        """
        key = sets_gc.indices.tobytes() + sets_gc.indptr.tobytes()
        if key not in self._looked_at:
            others_g = sets_gc.sum(axis=1) - 1
            ordered, n_questions = float(others_g @ (others_g + 1)), self.texts_cq.shape[1]
            times_c = np.asarray(sets_gc.sum(axis=0))
            norms_cq, crossed_cq = self._products
            all_gd = sets_gc @ self._totals_cd
            same_q, any_q = np.empty(n_questions), np.empty(n_questions)
            for q in range(n_questions):
                sum_gd = sets_gc @ self._means(q)
                same_q[q] = np.vdot(sum_gd, sum_gd) - times_c @ norms_cq[:, q]
                any_q[q] = np.vdot(sum_gd, all_gd) - times_c @ crossed_cq[:, q]
            self._looked_at[key] = same_q / ordered, (any_q - same_q) / ordered / (n_questions - 1 or np.nan)
        return self._looked_at[key]

    def _within(self, lines: Ints, inside_q: Ints) -> Floats:
        """Mean likeness of two different attempts of a cell at a question: (n² |mean|² − n) / (n (n − 1)); NaN for one."""
        here = np.ix_(lines, inside_q)
        n_cq, norm_cq = self.texts_cq[here].astype(np.float64), self._products[0][here]
        return np.where(n_cq > 1, (n_cq * norm_cq - 1) / np.maximum(n_cq - 1, 1), np.nan)

    def _forget(self) -> None:
        """Drop what was computed from the sums as they were."""
        self._looked_at.clear()
        for name in ("_totals_cd", "_products"):
            self.__dict__.pop(name, None)

    @cached_property
    def _totals_cd(self) -> Floats:
        """The sum of a cell's mean sketches over all questions."""
        totals: Floats = np.sum([self._means(q) for q in range(self.texts_cq.shape[1])], axis=0)
        return totals

    @cached_property
    def _products(self) -> tuple[Floats, Floats]:
        """Of each cell's mean sketch at a question, the inner product with itself and with the sum over all questions."""
        norms_cq, crossed_cq = (np.empty(self.texts_cq.shape) for _ in range(2))
        for q in range(self.texts_cq.shape[1]):
            mean_cd = self._means(q)
            norms_cq[:, q] = np.einsum("cd,cd->c", mean_cd, mean_cd)
            crossed_cq[:, q] = np.einsum("cd,cd->c", mean_cd, self._totals_cd)
        return norms_cq, crossed_cq

    def _means(self, q: int) -> Floats:
        """The mean sketch of each cell's texts at a question; zeros where it has none."""
        assert self._sum_rd is not None
        sums_cd = self._sum_rd[q :: self.texts_cq.shape[1]].astype(np.float64)
        means: Floats = sums_cd / np.maximum(self.texts_cq[:, q, None], 1)
        return means


def _sets(scores: Scores, cells: pd.DataFrame) -> list[tuple[dict[str, object], csr_array, str]]:
    """(labels, sets of cells by line, why there is none) for each contrast, and for the seeds of one setting."""
    n_cells = len(scores.cells)
    none = _members([], n_cells)
    found: list[tuple[dict[str, object], csr_array, str]] = []
    for factor in FACTORS:
        ordered = levels(scores.cells, factor)
        laid_out = matched_sets(cells, factor).reindex(columns=ordered)
        if len(ordered) < 2:
            labels = {"factor": factor, "level": next(iter(ordered), None), "reference": None}
            found.append((labels, none, ONE_LEVEL))
        for level, reference in level_pairs(factor, ordered):
            pairs = laid_out[[level, reference]].dropna().to_numpy(dtype=np.int64)
            labels = {"factor": factor, "level": level, "reference": reference}
            found.append((labels, _members(pairs, n_cells), "" if len(pairs) else NO_MATCH))
    lines = cells.index.to_numpy()
    twins = [arm for arm in _by_arm(lines, scores.setting_c[lines]) if len(arm) > 1]
    labels = {"factor": "seed", "level": "another", "reference": "same setting"}
    found.append((labels, _members(twins, n_cells), "" if twins else NO_REPLICATE))
    return found


def _by_arm(lines: Ints, arm_l: Ints) -> list[Ints]:
    order = np.argsort(arm_l, kind="stable")
    return np.split(lines[order], np.flatnonzero(np.diff(arm_l[order])) + 1)


def _members(sets: Sequence[Ints] | Ints, n_cells: int) -> csr_array:
    """Sets by cells: 1 for a member."""
    ends = np.cumsum([0, *map(len, sets)])
    lines = np.concatenate([*sets, np.empty(0, np.int64)]).astype(np.int64)
    return csr_array((np.ones(len(lines)), lines, ends), (len(sets), n_cells))


def _without(sets_gc: csr_array, silent_c: Mask) -> csr_array:
    """The sets without these cells."""
    kept = sets_gc.multiply((~silent_c)[None, :]).tocsr()
    kept.eliminate_zeros()
    return kept


def _of_two(sets_gc: csr_array) -> csr_array:
    """Those sets that have two members or more."""
    return sets_gc[np.flatnonzero(sets_gc.sum(axis=1) > 1)]
