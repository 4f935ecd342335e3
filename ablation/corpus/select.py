"""The select stage: C, S, L and N turn a pool into the trajectories of one cell.

C keeps the category's problem types, S one style, L a band of lengths, N a prefix of the band in the order of a seeded hash.
That order does not depend on N, so 50 trajectories are inside 100 inside 200, nor on what else the corpus holds.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil
from pathlib import Path

import pandas as pd

from ablation.cell import Cell
from ablation.errors import ConfigProblems, nearest
from ablation.records import SUMMARY_FILE, Trajectory, read_rows, write_json, write_rows
from ablation.science import Category, Length

POOL_FILE = "pool.parquet"
FUNNEL_FILE = "funnel.json"
CHOSEN_FILE = "chosen.jsonl"
_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class Band:
    """The trajectories that a cell may draw from, in drawing order, and how many rows each condition left.

    `largest` is the largest count that stays even over the strata; `stratum` the size of the smallest stratum before its band
    was cut, and `cut` the size of that stratum's band.
    """

    ordered: pd.DataFrame
    funnel: dict[str, int]
    largest: int
    stratum: int
    cut: int


def band(pool: pd.DataFrame, cell: Cell) -> Band:
    """Apply C, S and L, then order by the seed. Raises ConfigProblems when a level has nothing in this corpus."""
    in_category, in_style, strata, banded = _banded(pool, cell)
    ordered = _interleave([_shuffle(part, cell.seed.data) for part in banded])
    funnel = {"in_category": len(in_category), "in_style": len(in_style), "in_band": len(ordered)}
    smallest = min(range(len(strata)), key=lambda index: len(strata[index]))
    largest = len(strata) * min(map(len, banded))
    return Band(ordered, funnel, largest, len(strata[smallest]), len(banded[smallest]))


def mean_tokens(pool: pd.DataFrame, cell: Cell) -> float:
    """The mean length of what a cell draws from, before it is drawn; strata weigh the same. Raises ConfigProblems."""
    _, _, _, banded = _banded(pool, cell)
    return float(pd.Series([part["tokens"].mean() for part in banded]).mean())


def shortage(pool: pd.DataFrame, cell: Cell) -> str | None:
    """Why the pool cannot fill this cell, as a sentence, or None when it can."""
    try:
        found = band(pool, cell)
    except ConfigProblems as error:
        return "; ".join(error.problems)
    overlap = _overlap(found, cell)
    if overlap or cell.count.size <= found.largest:
        return overlap
    steps = " → ".join(f"{name.replace('_', ' ')} {count}" for name, count in found.funnel.items())
    return (
        f"count.size: given {cell.count.size} for {cell.slug}; allowed: 1 to {found.largest} "
        f"(right {len(pool)} → {steps}); lower the count, widen length.band, or choose another category"
    )


def _overlap(found: Band, cell: Cell) -> str | None:
    """Bands of more than half a stratum would hold the same trajectories in short and long: no contrast of lengths is left."""
    if cell.length is None or cell.length.name == "normal" or 2 * found.cut <= found.stratum + 1:
        return None
    return (
        f"length.band: given {cell.length.band} for {cell.slug}, {found.cut} of {found.stratum} trajectories; allowed: at most "
        "half of the pool (of its smallest category, when it is balanced), or short and long would share trajectories"
    )


def make_selection(pool_folder: Path, cell: Cell, folder: Path) -> None:
    """Write ``chosen.jsonl`` (N trajectories in drawing order) and ``summary.json`` (funnel, token quantiles)."""
    pool = pd.read_parquet(pool_folder / POOL_FILE)
    missing = shortage(pool, cell)
    if missing:
        raise ConfigProblems([missing])
    found = band(pool, cell)
    chosen = found.ordered.head(cell.count.size)
    funnel = {**json.loads((pool_folder / FUNNEL_FILE).read_text()), **found.funnel, "chosen": len(chosen)}
    quantiles = {f"p{round(q * 100)}": float(chosen["tokens"].quantile(q)) for q in _QUANTILES}
    write_rows(folder / CHOSEN_FILE, (Trajectory.model_validate(row) for row in chosen.to_dict("records")))
    write_json(
        folder / SUMMARY_FILE, {"funnel": funnel, "tokens": quantiles, "mean_tokens": float(chosen["tokens"].mean())}
    )


def read_pool_index(folder: Path) -> pd.DataFrame:
    """A pool without its texts: what `shortage` needs, small enough to hold for any corpus."""
    return pd.read_parquet(folder / POOL_FILE, columns=["id", "problem_type", "style", "tokens"])


def read_selection(folder: Path) -> list[Trajectory]:
    """The chosen trajectories of a finished select stage."""
    return read_rows(folder / CHOSEN_FILE, Trajectory)


def _banded(
    pool: pd.DataFrame, cell: Cell
) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame], list[pd.DataFrame]]:
    """The rows of the category, those of the style, these as strata, and each stratum's part of the band."""
    category, length, style = _levels(cell)
    _refuse_absent_levels(pool, cell)
    in_category = pool if category.problem_types is None else pool[pool["problem_type"].isin(category.problem_types)]
    in_style = in_category[in_category["style"] == style]
    strata = _strata(in_style, category)
    banded = [_cut(stratum, length, len(strata), index) for index, stratum in enumerate(strata)]
    return in_category, in_style, strata, banded


def _levels(cell: Cell) -> tuple[Category, Length, str]:
    if cell.category is None or cell.length is None or cell.style is None:
        raise ConfigProblems(["count.size: 0 is the base model, which trains on nothing"])
    return cell.category, cell.length, cell.style.name


def _refuse_absent_levels(pool: pd.DataFrame, cell: Cell) -> None:
    category, _, style = _levels(cell)
    types, styles = sorted(pool["problem_type"].dropna().unique()), sorted(pool["style"].unique())
    corpus = cell.corpus.name if cell.corpus else "?"
    problems = [
        f"category.problem_types: given {wanted!r}; corpus {corpus} has: {', '.join(types) or 'none'}{nearest(wanted, types)}"
        for wanted in category.problem_types or ()
        if wanted not in types
    ]
    if style not in styles:
        problems.append(
            f"style.name: given {style!r}; corpus {corpus} has: {', '.join(styles) or 'none'}{nearest(style, styles)}"
        )
    if problems:
        raise ConfigProblems(problems)


def _strata(pool: pd.DataFrame, category: Category) -> list[pd.DataFrame]:
    if not (category.balanced and category.problem_types):
        return [pool]
    return [pool[pool["problem_type"] == kind] for kind in category.problem_types]


def _cut(stratum: pd.DataFrame, length: Length, strata: int, index: int) -> pd.DataFrame:
    """The stratum's part of the band; a band that is a number is shared out over the strata, the first ones taking the rest."""
    if length.name == "normal":
        return stratum
    by_length = stratum.sort_values(["tokens", "id"], kind="stable")
    if isinstance(length.band, float):
        size = ceil(length.band * len(stratum))
    else:
        size = length.band // strata + (index < length.band % strata)
    return by_length.head(size) if length.name == "short" else by_length.tail(size)


def _shuffle(stratum: pd.DataFrame, seed: int) -> pd.DataFrame:
    ranks = stratum["id"].map(lambda identity: hashlib.sha256(f"{seed}/{identity}".encode()).hexdigest())
    return stratum.assign(_rank=ranks).sort_values("_rank").drop(columns="_rank")


def _interleave(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if len(parts) == 1:
        return parts[0]
    rounds = zip_longest(*(part.index for part in parts))
    order = [index for drawn in rounds for index in drawn if index is not None]
    return pd.concat(parts).loc[order]
