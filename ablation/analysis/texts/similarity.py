"""Likeness of the texts of two cells at a question, and within one cell: a trace of how alike they solve it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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

Embed = Callable[[Sequence[str]], Floats]
"""Texts → one row of unit length each; the inner product of two rows is the likeness of the texts."""
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
    compared by itself. `embed` replaces the sketch of word spans by the embeddings of a model.
    """

    def __init__(self, scores: Scores, embed: Embed | None = None) -> None:
        """Start without texts. Large studies get fewer dimensions, at least 256."""
        self.scores = scores
        self._embed = embed
        shape = scores.correct_cq.shape
        # The sums hold cells × questions × dimensions floats; they may take as much memory as `_LARGEST` allows.
        room = max(_LARGEST // max(shape[0] * shape[1], 1), 256)
        self._dimensions = min(DIMENSIONS, 1 << (room.bit_length() - 1))
        self._sum_pf: NDArray[np.float32] | None = None
        self.texts_cq: Ints = np.zeros(shape, dtype=np.int64)
        self._products: _Products | None = None

    def add(self, texts: pa.Array, cell_t: Ints, question_t: Ints) -> None:
        """Add texts, none of them null, with the row and column of the scores that each belongs to."""
        n_questions = self.texts_cq.shape[1]
        pairs, pair_t = np.unique(cell_t * n_questions + question_t, return_inverse=True)
        if self._embed is None:
            vectors = sketches(texts, self._dimensions)
        else:
            vectors = csr_array(np.asarray(self._embed(texts.to_pylist()), dtype=np.float32))
        ones, text_t = np.ones(len(pair_t), np.float32), np.arange(len(pair_t))
        member = csr_array((ones, (pair_t, text_t)), (len(pairs), len(pair_t)))
        if self._sum_pf is None:
            self._sum_pf = np.zeros((self.texts_cq.size, vectors.shape[1]), dtype=np.float32)
        self._sum_pf[pairs] += (member @ vectors).toarray()
        np.add.at(self.texts_cq.reshape(-1), pairs, np.bincount(pair_t, minlength=len(pairs)))
        # The products belong to the sums before this batch.
        self._products = None

    def contrasts(self) -> pd.DataFrame:
        """Compare the likeness across levels with that within cells, one row per contrast of levels and tier, and one for seeds.

        Columns: `factor level reference pairs tier questions between within chance difference se low high reason`. `between`
        is the mean likeness of attempts at a question of two cells that differ in this factor alone, over the matched
        `pairs`; `within` that of two attempts of one of these cells; `chance` that of attempts at two different questions.
        `difference` = within − between: 0 where the level leaves no trace in how questions are solved. Its interval is
        Student's over questions (questions like these; the variance that training seeds add is not included).
        """
        rows = []
        for tier in self.scores.all_and_tiers:
            cells = comparable(self.scores, tier)
            rows += [self._row(labels, sets, tier, reason) for labels, sets, reason in _sets(self.scores, cells)]
        return pd.DataFrame(rows, columns=list(SIMILARITY_COLUMNS))

    def matrix(self, tier: str = ALL) -> pd.DataFrame:
        """Return the mean likeness of every two cells over the questions of the tier; on the diagonal, within the cell.

        Cells × cells, only of cells with texts at every question of the tier; empty where there is none.
        """
        inside_q = np.flatnonzero(self.scores.in_tier_q(tier))
        rows = np.flatnonzero((self.texts_cq[:, inside_q] > 0).all(axis=1)) if len(inside_q) else np.empty(0, np.int64)
        likeness_cc = np.zeros((len(rows), len(rows)))
        for q in inside_q if len(rows) else ():
            mean_cf = self._means(int(q))[rows]
            likeness_cc += mean_cf @ mean_cf.T
        likeness_cc /= max(len(inside_q), 1)
        if len(rows):
            np.fill_diagonal(likeness_cc, self._within(rows, inside_q).mean(axis=1))
        names = self.scores.cells["cell"].iloc[rows].tolist()
        return pd.DataFrame(likeness_cc, index=names, columns=names)

    def _row(self, labels: dict[str, object], sets_gc: csr_array, tier: str, reason: str) -> dict[str, object]:
        """Return one row of `contrasts`; likenesses that cannot be computed stay NaN, with a reason."""
        inside_q = np.flatnonzero(self.scores.in_tier_q(tier))
        row = {**dict.fromkeys(SIMILARITY_COLUMNS, np.nan), **labels, "tier": tier, "questions": len(inside_q)}
        if not len(inside_q):
            return row | {"pairs": 0, "reason": NO_QUESTIONS}
        if sets_gc.nnz:
            sets_gc = _of_two(_without(sets_gc, ~np.asarray((self.texts_cq > 0).all(axis=1), dtype=bool)))
            reason = "" if sets_gc.nnz else NO_TEXTS
        others_g = sets_gc.sum(axis=1) - 1  # each member of a set is compared with so many others
        row |= {"pairs": round(float(others_g @ (others_g + 1)) / 2), "reason": reason}
        if not sets_gc.nnz:
            return row
        between_q, chance_q = (likeness_q[inside_q] for likeness_q in self._between(sets_gc))
        # A cell that is compared k times counts k times in `within`, as it does in `between`.
        times_c = others_g @ sets_gc
        rows = np.flatnonzero(times_c)
        within_q = np.average(self._within(rows, inside_q), axis=0, weights=times_c[rows])
        difference_q = within_q - between_q
        row |= {
            "between": between_q.mean(),
            "within": within_q.mean(),
            "chance": chance_q.mean(),
            "difference": difference_q.mean(),
        }
        if len(inside_q) < MIN_QUESTIONS:
            return row | {"reason": TOO_FEW_QUESTIONS}
        # One attempt has no other to be compared with inside its cell, so `within` is NaN at that question.
        if not np.isfinite(difference_q).all():
            return row | {"reason": "one attempt a question: nothing to compare with within a cell"}
        se = float(difference_q.std(ddof=1) / np.sqrt(len(difference_q)))
        half = se * float(stdtrit(len(difference_q) - 1, (1 + CONFIDENCE) / 2))
        return row | {"se": se, "low": row["difference"] - half, "high": row["difference"] + half}  # type: ignore[operator]

    def _between(self, sets_gc: csr_array) -> tuple[Floats, Floats]:
        """Return (likeness at the same question, at different ones), by question, means over every two cells of a set.

        Over the two orders of a pair, Σ mᵢ·tⱼ = (Σ m)·(Σ t) − Σ mᵢ·tᵢ: no pair is ever compared by itself.
        """
        products = self._compute_products()
        key = sets_gc.indices.tobytes() + sets_gc.indptr.tobytes()
        if key not in products.likeness_by_sets:
            others_g = sets_gc.sum(axis=1) - 1
            ordered_pairs, n_questions = float(others_g @ (others_g + 1)), self.texts_cq.shape[1]
            times_c = np.asarray(sets_gc.sum(axis=0))
            all_gf = sets_gc @ products.total_cf
            same_q, any_q = np.empty(n_questions), np.empty(n_questions)
            for q in range(n_questions):
                sum_gf = sets_gc @ self._means(q)
                same_q[q] = np.vdot(sum_gf, sum_gf) - times_c @ products.norm_cq[:, q]
                any_q[q] = np.vdot(sum_gf, all_gf) - times_c @ products.crossed_cq[:, q]
            different_q = (any_q - same_q) / ordered_pairs / (n_questions - 1 or np.nan)
            products.likeness_by_sets[key] = same_q / ordered_pairs, different_q
        return products.likeness_by_sets[key]

    def _within(self, rows: Ints, inside_q: Ints) -> Floats:
        """Return the mean likeness of two different attempts of a cell at a question; NaN for a single attempt.

        (n² |mean|² − n) / (n (n − 1)): of all n² ordered pairs, the n of a text with itself have likeness 1.
        """
        chosen = np.ix_(rows, inside_q)
        n_cq, norm_cq = self.texts_cq[chosen].astype(np.float64), self._compute_products().norm_cq[chosen]
        return np.where(n_cq > 1, (n_cq * norm_cq - 1) / np.maximum(n_cq - 1, 1), np.nan)

    def _compute_products(self) -> "_Products":
        """Return the products of the mean sketches, computed once for the texts so far."""
        if self._products is None:
            n_questions = self.texts_cq.shape[1]
            total_cf: Floats = np.sum([self._means(q) for q in range(n_questions)], axis=0)
            norm_cq, crossed_cq = (np.empty(self.texts_cq.shape) for _ in range(2))
            for q in range(n_questions):
                mean_cf = self._means(q)
                norm_cq[:, q] = np.einsum("cf,cf->c", mean_cf, mean_cf)
                crossed_cq[:, q] = np.einsum("cf,cf->c", mean_cf, total_cf)
            self._products = _Products(total_cf, norm_cq, crossed_cq)
        return self._products

    def _means(self, q: int) -> Floats:
        """Return the mean sketch of each cell's texts at a question; zeros where it has none."""
        assert self._sum_pf is not None
        sums_cf = self._sum_pf[q :: self.texts_cq.shape[1]].astype(np.float64)
        means: Floats = sums_cf / np.maximum(self.texts_cq[:, q, None], 1)
        return means


@dataclass(frozen=True)
class _Products:
    """Products of the mean sketches, and the likenesses computed from them."""

    total_cf: Floats
    """The sum of a cell's mean sketches over all questions."""
    norm_cq: Floats
    """The inner product of a cell's mean sketch at a question with itself."""
    crossed_cq: Floats
    """The inner product of a cell's mean sketch at a question with its `total_cf`."""
    likeness_by_sets: dict[bytes, tuple[Floats, Floats]] = field(default_factory=dict)
    """Results of `Sketches._between` by its sets of cells: most tiers compare the same ones."""


def _sets(scores: Scores, cells: pd.DataFrame) -> list[tuple[dict[str, object], csr_array, str]]:
    """Return (labels, sets of cells, reason why there is none) for each contrast, and for the seeds of one setting."""
    n_cells = len(scores.cells)
    none = _members([], n_cells)
    sets: list[tuple[dict[str, object], csr_array, str]] = []
    for factor in FACTORS:
        ordered = levels(scores.cells, factor)
        laid_out = matched_sets(cells, factor).reindex(columns=ordered)
        if len(ordered) < 2:
            labels = {"factor": factor, "level": next(iter(ordered), None), "reference": None}
            sets.append((labels, none, ONE_LEVEL))
        for level, reference in level_pairs(factor, ordered):
            pairs = laid_out[[level, reference]].dropna().to_numpy(dtype=np.int64)
            labels = {"factor": factor, "level": level, "reference": reference}
            sets.append((labels, _members(pairs, n_cells), "" if len(pairs) else NO_MATCH))
    rows = cells.index.to_numpy()
    replicated = [runs for runs in _by_setting(rows, scores.setting_c[rows]) if len(runs) > 1]
    labels = {"factor": "seed", "level": "another", "reference": "same setting"}
    sets.append((labels, _members(replicated, n_cells), "" if replicated else NO_REPLICATE))
    return sets


def _by_setting(rows: Ints, setting_r: Ints) -> list[Ints]:
    order = np.argsort(setting_r, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(setting_r[order])) + 1)


def _members(sets: Sequence[Ints] | Ints, n_cells: int) -> csr_array:
    """Return sets × cells: 1 for a member."""
    ends = np.cumsum([0, *map(len, sets)])
    rows = np.concatenate([*sets, np.empty(0, np.int64)]).astype(np.int64)
    return csr_array((np.ones(len(rows)), rows, ends), (len(sets), n_cells))


def _without(sets_gc: csr_array, silent_c: Mask) -> csr_array:
    """Return the sets without these cells."""
    kept = sets_gc.multiply((~silent_c)[None, :]).tocsr()
    kept.eliminate_zeros()
    return kept


def _of_two(sets_gc: csr_array) -> csr_array:
    """Return the sets that have two members or more."""
    return sets_gc[np.flatnonzero(sets_gc.sum(axis=1) > 1)]
