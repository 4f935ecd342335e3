"""Do cells solve a question the same way? Mean likeness of their texts, between cells and within them.

Array suffixes: c cell, q question, t text, d dimension of a sketch, p matched pair.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import stdtrit

from ablation.analysis.effects import NO_MATCH, ONE_LEVEL
from ablation.analysis.estimates import NO_QUESTIONS
from ablation.analysis.matching import comparable, contrasts, levels, matched_sets
from ablation.analysis.prose import DIMENSIONS, sketches
from ablation.analysis.study import ALL, FACTORS
from ablation.analysis.tally import Floats, Ints, Mask, Tally
from ablation.analysis.uncertainty import LEVEL, MIN_QUESTIONS, TOO_FEW

Embed = Callable[[Sequence[str]], Floats]  # texts → rows of unit length, their inner product being the likeness
NO_TEXTS = "no completions recorded for these cells"
NO_REPLICATE = "no setting was run with two seeds"
COLUMNS = (
    "factor", "level", "reference", "pairs", "tier", "questions", "between", "within", "chance", "difference", "se", "low",
    "high", "reason",
)  # fmt: skip
_LARGEST = 1 << 26  # entries of the sums: 256 MB


class Sketches:
    """Sums of the texts' sketches by cell and question, filled batch by batch.

    The mean likeness of all pairs of texts of two cells is the inner product of their mean sketches, so no pair is ever
    looked at by itself. `embed` replaces the sketch of word runs by embeddings of a model.
    """

    def __init__(self, tally: Tally, embed: Embed | None = None) -> None:
        """Nothing seen yet. Large studies get fewer dimensions, at least 256."""
        self.tally = tally
        self._embed = embed
        shape = tally.correct_cq.shape
        room = max(_LARGEST // max(shape[0] * shape[1], 1), 256)
        self._dimensions = min(DIMENSIONS, 1 << (room.bit_length() - 1))
        self._sum_rd: NDArray[np.float32] | None = None
        self.texts_cq: Ints = np.zeros(shape, dtype=np.int64)

    def add(self, texts: pa.Array, cell_t: Ints, question_t: Ints) -> None:
        """Add texts, none of them null, with the line and column of the tally that each belongs to."""
        n_questions = self.texts_cq.shape[1]
        rows, row_t = np.unique(cell_t * n_questions + question_t, return_inverse=True)
        if self._embed is None:
            vectors = sketches(texts, self._dimensions)
        else:
            vectors = csr_array(np.asarray(self._embed(texts.to_pylist()), dtype=np.float32))
        member = csr_array((np.ones(len(row_t), np.float32), (row_t, np.arange(len(row_t)))), (len(rows), len(row_t)))
        if self._sum_rd is None:
            self._sum_rd = np.zeros((self.texts_cq.size, vectors.shape[1]), dtype=np.float32)
        self._sum_rd[rows] += (member @ vectors).toarray()
        np.add.at(self.texts_cq.reshape(-1), rows, np.bincount(row_t, minlength=len(rows)))

    def contrasts(self) -> pd.DataFrame:
        """One row a contrast of levels and scope, and one for seeds: are texts less alike across than within cells?

        Columns: `factor level reference pairs tier questions between within chance difference se low high reason`. `between`:
        mean likeness of attempts at a question of two cells that differ in this factor alone, over the matched `pairs`;
        `within`: of two attempts of one and the same of these cells; `chance`: of attempts at two different questions.
        `difference` = within − between: 0 where the level leaves no trace in how questions are solved. Its interval is Student's
        over questions (questions like these; what training seeds add is not included).
        """
        rows = []
        for scope in self.tally.scopes:
            cells = comparable(self.tally, scope)
            rows += [self._row(labels, pairs, scope, reason) for labels, pairs, reason in _pairs(self.tally, cells)]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def matrix(self, scope: str = ALL) -> pd.DataFrame:
        """Mean likeness of every two cells over the questions of the scope: cells × cells, on the diagonal within the cell.

        Only cells with texts at every question of the scope; empty where there is none.
        """
        inside_q = np.flatnonzero(self.tally.in_scope_q(scope))
        lines = np.flatnonzero((self.texts_cq[:, inside_q] > 0).all(axis=1)) if len(inside_q) else np.empty(0, np.int64)
        total = np.zeros((len(lines), len(lines)))
        for q in inside_q if len(lines) else ():
            mean_cd = self._means(lines, np.array([q]))[:, 0]
            total += mean_cd @ mean_cd.T
        total /= max(len(inside_q), 1)
        if len(lines):
            np.fill_diagonal(total, self._within(lines, inside_q).mean(axis=1))
        names = self.tally.cells["cell"].iloc[lines].tolist()
        return pd.DataFrame(total, index=names, columns=names)

    def _row(self, labels: dict[str, object], pairs: Ints, scope: str, reason: str) -> dict[str, object]:
        inside_q = np.flatnonzero(self.tally.in_scope_q(scope))
        row = {**dict.fromkeys(COLUMNS, np.nan), **labels, "tier": scope, "questions": len(inside_q)}
        if not len(inside_q):
            return row | {"pairs": 0, "reason": NO_QUESTIONS}
        spoken_c: Mask = np.asarray((self.texts_cq > 0).all(axis=1), dtype=bool)
        if len(pairs) and len(inside_q):
            pairs = pairs[spoken_c[pairs].all(axis=1)]
            reason = "" if len(pairs) else NO_TEXTS
        row |= {"pairs": len(pairs), "reason": reason}
        if not len(pairs) or not len(inside_q):
            return row
        between_q, chance_q = self._between(pairs, inside_q)
        within_q = self._within(pairs.ravel(), inside_q).mean(axis=0)
        apart_q = within_q - between_q
        row |= {
            "between": between_q.mean(),
            "within": within_q.mean(),
            "chance": chance_q.mean(),
            "difference": apart_q.mean(),
        }
        if len(inside_q) < MIN_QUESTIONS:
            return row | {"reason": TOO_FEW}
        if not np.isfinite(apart_q).all():
            return row | {"reason": "one attempt a question: nothing to compare with within a cell"}
        se = float(apart_q.std(ddof=1) / np.sqrt(len(apart_q)))
        half = se * float(stdtrit(len(apart_q) - 1, (1 + LEVEL) / 2))
        return row | {"se": se, "low": row["difference"] - half, "high": row["difference"] + half}  # type: ignore[operator]

    def _between(self, pairs: Ints, inside_q: Ints) -> tuple[Floats, Floats]:
        """(likeness at the same question, at different ones), by question, means over the pairs."""
        n_questions = self.texts_cq.shape[1]
        same_q, other_q = np.zeros(len(inside_q)), np.zeros(len(inside_q))
        for one, other in pairs:  # a pair at a time: the sums of all would not fit
            first_qd, second_qd = self._means(np.array([one, other]), np.arange(n_questions))
            alike_q = (first_qd[inside_q] * second_qd[inside_q]).sum(axis=1)
            same_q += alike_q
            other_q += (first_qd[inside_q] @ second_qd.sum(axis=0) - alike_q) / (n_questions - 1 or np.nan)
        return same_q / len(pairs), other_q / len(pairs)

    def _within(self, lines: Ints, inside_q: Ints) -> Floats:
        """Mean likeness of two different attempts of a cell at a question: (n² |mean|² − n) / (n (n − 1)); NaN for one."""
        n_cq = self.texts_cq[np.ix_(lines, inside_q)].astype(np.float64)
        norm_cq = np.stack([np.square(self._means(np.array([c]), inside_q)[0]).sum(axis=1) for c in lines])
        return np.where(n_cq > 1, (n_cq * norm_cq - 1) / np.maximum(n_cq - 1, 1), np.nan)

    def _means(self, lines: Ints, columns: Ints) -> Floats:
        assert self._sum_rd is not None
        rows = lines[:, None] * self.texts_cq.shape[1] + columns
        means: Floats = (
            self._sum_rd[rows].astype(np.float64) / np.maximum(self.texts_cq[np.ix_(lines, columns)], 1)[..., None]
        )
        return means


def _pairs(tally: Tally, cells: pd.DataFrame) -> list[tuple[dict[str, object], Ints, str]]:
    """(labels, matched pairs of lines, why there is none) for each contrast, and for the seeds of one setting."""
    none = np.empty((0, 2), dtype=np.int64)
    found: list[tuple[dict[str, object], Ints, str]] = []
    for factor in FACTORS:
        ordered = levels(tally.cells, factor)
        sets = matched_sets(cells, factor).reindex(columns=ordered)
        if len(ordered) < 2:
            labels = {"factor": factor, "level": next(iter(ordered), None), "reference": None}
            found.append((labels, none, ONE_LEVEL))
        for level, reference in contrasts(factor, ordered):
            pairs = sets[[level, reference]].dropna().to_numpy(dtype=np.int64)
            found.append(
                ({"factor": factor, "level": level, "reference": reference}, pairs, "" if len(pairs) else NO_MATCH)
            )
    lines = cells.index.to_numpy()
    twins = [
        pair for arm in np.unique(tally.arm_c[lines]) for pair in combinations(lines[tally.arm_c[lines] == arm], 2)
    ]
    labels = {"factor": "seed", "level": "another", "reference": "same setting"}
    found.append((labels, np.array(twins, dtype=np.int64).reshape(-1, 2), "" if twins else NO_REPLICATE))
    return found
