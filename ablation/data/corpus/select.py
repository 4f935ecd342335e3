"""The select stage: C, S, L and N turn what may be used of a pool into the trajectories of one cell.

C keeps the category's problems, S one style, L a part by lengths, N a beginning of that part in the order of a seeded hash. That
order does not depend on N, so 50 trajectories are inside 100 inside 200, nor on what else the corpus holds.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from ablation.data.corpus.length_bands import band_of, common_capacity, draw_matched
from ablation.data.corpus.near_benchmark import read_near
from ablation.data.corpus.pool import FUNNEL_FILE, Conversation, read_trajectories
from ablation.data.corpus.seeded_order import interleaved, shuffled
from ablation.data.corpus.sift import read_kept
from ablation.errors import ConfigProblems, did_you_mean
from ablation.specs import Across, Category, Length, Style
from ablation.specs.cell import Cell
from ablation.store.records import SUMMARY_FILE, Trajectory, write_json

CHOSEN_FILE = "chosen.parquet"
_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class UsableRows:
    """What cells draw from: the rows that may be used, and the problems a category's `near` has picked (None: no such)."""

    kept: pd.DataFrame
    near: frozenset[str] | None = None


@dataclass(frozen=True)
class Band:
    """One stratum's band. With a `capacity`, so many of each class of lengths are drawn (see lengths.matched), else all."""

    frame: pd.DataFrame
    capacity: Counter[int] | None = None

    @property
    def size(self) -> int:
        """How many trajectories can be drawn."""
        return len(self.frame) if self.capacity is None else self.capacity.total()


@dataclass(frozen=True)
class Candidates:
    """What a cell may draw from, by strata, and how many rows each condition left.

    `largest` is the largest count that stays even over the strata; `stratum` the size of the smallest stratum before its band
    was cut, and `cut` the size of that stratum's band.
    """

    parts: tuple[Band, ...]
    funnel: dict[str, int]
    largest: int
    stratum: int
    cut: int


def read_usable(sifted: Path, near: Path | None = None) -> UsableRows:
    """What the folders of a cell's earlier stages hold."""
    return UsableRows(read_kept(sifted), frozenset(read_near(near)["problem_key"]) if near else None)


def find_candidates(given: UsableRows, cell: Cell) -> Candidates:
    """Apply C, S and L; neither N nor the seed has a say. Raises ConfigProblems when a level has nothing in this corpus."""
    category, length, style = _levels(cell)
    _refuse_absent_levels(given.kept, cell)
    allowed = given.kept if given.near is None else given.kept[given.kept["problem_key"].isin(list(given.near))]
    in_category = _of_types(allowed, category.problem_types)
    strata_types = [(kind,) for kind in category.problem_types or ()] if category.balanced else [category.problem_types]
    strata = [of_style(_of_types(in_category, kinds), style, length) for kinds in strata_types]
    bands = [band_of(stratum, length, len(strata), index, _drawn_by(style)) for index, stratum in enumerate(strata)]
    capacities = [_capacity(allowed, kinds, cell) for kinds in strata_types]
    parts = tuple(Band(frame, capacity) for frame, capacity in zip(bands, capacities, strict=True))
    funnel = {
        **({"near": len(allowed)} if given.near is not None else {}),
        "in_category": len(in_category),
        "in_style": sum(map(len, strata)),
        "in_band": sum(part.size for part in parts),
    }
    smallest = min(range(len(strata)), key=lambda index: len(strata[index]))
    largest = len(parts) * min(part.size for part in parts)
    return Candidates(parts, funnel, largest, len(strata[smallest]), parts[smallest].size)


def drawing_order(found: Candidates, cell: Cell) -> pd.DataFrame:
    """Everything that the cell may draw, in the order of its data seed; its trajectories are the first N."""
    _, length, style = _levels(cell)
    by, seed = _drawn_by(style), cell.seed.data
    return interleaved(
        [
            shuffled(part.frame, seed, by)
            if part.capacity is None
            else draw_matched(part.frame, part.capacity, length.tolerance, seed, by)
            for part in found.parts
        ]
    )


def of_style(frame: pd.DataFrame, style: Style, length: Length) -> pd.DataFrame:
    """The rows of one style, with the `length` by which they are compared: their tokens, or the mean over paired styles.

    Of several trajectories of a paired style to a problem, the first in the corpus's order stands for them.
    """
    if not style.paired:
        own = frame[frame["style"] == style.name]
        return own.assign(length=own["tokens"])
    both = frame[frame["style"].isin(style.paired)].sort_values("position").drop_duplicates(["problem_key", "style"])
    tokens = (
        both.pivot(index="problem_key", columns="style", values="tokens").reindex(columns=list(style.paired)).dropna()
    )
    if length.across is not None and length.across.styles:
        tokens = tokens[tokens.max(axis=1) <= tokens.min(axis=1) * (1 + length.tolerance)]
    own = both[(both["style"] == style.name) & both["problem_key"].isin(tokens.index)]
    return own.assign(length=own["problem_key"].map(tokens.mean(axis=1)))


def mean_tokens(found: Candidates) -> float:
    """The mean length of what is drawn from, before it is drawn; strata weigh the same."""
    return float(pd.Series([part.frame["tokens"].mean() for part in found.parts]).mean())


def shortage(given: UsableRows, cell: Cell) -> str | None:
    """Why a cell cannot be filled, as a sentence, or None when it can."""
    try:
        return shortage_of(find_candidates(given, cell), len(given.kept), cell)
    except ConfigProblems as error:
        return "; ".join(error.problems)


def shortage_of(found: Candidates, kept: int, cell: Cell) -> str | None:
    """Why this room cannot fill the cell, or None; `kept` is how many trajectories may be used at all."""
    overlap = _overlap(found, cell)
    if overlap or cell.count.size <= found.largest:
        return overlap
    steps = " → ".join(f"{name.replace('_', ' ')} {count}" for name, count in found.funnel.items())
    paired = cell.style is not None and bool(cell.style.paired)
    return (
        f"count.size: given {cell.count.size} for {cell.slug}; allowed: 1 to {found.largest} "
        f"(usable {kept} → {steps}); lower the count, widen the length, or choose another category"
        + (", or draw each style by itself (style.paired=[]) and not the questions that have both" if paired else "")
    )


def untrainable(found: Candidates, cell: Cell) -> str | None:
    """Why some of what the cell may draw has nothing to train, or None; of these the training would refuse each."""
    train = cell.train
    if train is None or train.drop_untrainable:
        return None
    rows = pd.concat([part.frame for part in found.parts])
    filled = rows[rows["total_tokens"] - rows["tokens"] >= train.block_tokens]  # by the problem and what frames it
    if filled.empty:
        return None
    return (
        f"train.block_tokens: given {train.block_tokens}; the problem alone fills it in {len(filled)} of the {len(rows)} "
        f"trajectories that {cell.slug} may draw (first: {filled['id'].iloc[0]}), so nothing of them would be trained; raise it, "
        "or leave such out before they are drawn (corpus.filters.too_long=drop) or of the N drawn (train.drop_untrainable=true)"
    )


def _overlap(found: Candidates, cell: Cell) -> str | None:
    """Bands of more than half a stratum would hold the same trajectories in short and long: no contrast of lengths is left."""
    if cell.length is None or cell.length.name not in ("short", "long") or 2 * found.cut <= found.stratum + 1:
        return None
    return (
        f"length.band: given {cell.length.band} for {cell.slug}, {found.cut} of {found.stratum} trajectories; allowed: at most "
        "half of the pool (of its smallest category, when it is balanced), or short and long would share trajectories"
    )


def make_selection(sifted: Path, near: Path | None, cell: Cell, folder: Path) -> None:
    """Write ``chosen.parquet`` (N rows in drawing order, with positions in the pool) and ``summary.json``.

    The summary holds the funnel, quantiles and sums of tokens (`tokens`: the trajectories; `total`: with prompt and end, as
    trained), and the SHA-256 of the sorted ids.
    """
    given = read_usable(sifted, near)
    missing = shortage(given, cell)
    if missing:
        raise ConfigProblems([missing])
    found = find_candidates(given, cell)
    chosen = drawing_order(found, cell).head(cell.count.size)
    funnel = {**json.loads((sifted / FUNNEL_FILE).read_text()), **found.funnel, "chosen": len(chosen)}
    chosen.drop(columns="length").to_parquet(folder / CHOSEN_FILE, index=False)
    write_json(
        folder / SUMMARY_FILE,
        {
            "funnel": funnel,
            "tokens": {f"p{round(q * 100)}": float(chosen["tokens"].quantile(q)) for q in _QUANTILES},
            "mean_tokens": float(chosen["tokens"].mean()),
            "total_tokens": int(chosen["total_tokens"].sum()),
            "ids_sha256": ids_digest(chosen["id"]),
        },
    )


def ids_digest(ids: Iterable[str]) -> str:
    """SHA-256 over the sorted ids, one a line: equal for equal sets, whatever their order."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()


def read_chosen(folder: Path) -> pd.DataFrame:
    """A cell's rows of the index in drawing order, with their positions in the pool."""
    return pd.read_parquet(folder / CHOSEN_FILE)


def read_selection(folder: Path, pool: Path) -> list[Trajectory]:
    """The chosen trajectories of a finished select stage, with their texts out of the pool."""
    chosen = read_chosen(folder)
    texts = read_trajectories(pool, chosen["position"].tolist())
    rows = chosen[["id", "problem_type", "source", "style", "tokens"]].astype(object).where(chosen.notna(), None)
    return [
        Trajectory.model_validate({**row, "problem": text.problem, "generation": text.generation})
        for row, text in zip(rows.to_dict("records"), texts, strict=True)
    ]


def read_conversations(folder: Path, pool: Path) -> dict[str, Conversation]:
    """The chosen trajectories as token ids, by id in drawing order."""
    chosen = read_chosen(folder)
    return dict(zip(chosen["id"], read_trajectories(pool, chosen["position"].tolist()), strict=True))


def _levels(cell: Cell) -> tuple[Category, Length, Style]:
    if cell.category is None or cell.length is None or cell.style is None:
        raise ConfigProblems(["count.size: 0 is the base model, which trains on nothing"])
    return cell.category, cell.length, cell.style


def _drawn_by(style: Style) -> str:
    """Paired styles draw problems, so that each of them draws the same."""
    return "problem_key" if style.paired else "id"


def _of_types(frame: pd.DataFrame, kinds: tuple[str, ...] | None) -> pd.DataFrame:
    return frame if kinds is None else frame[frame["problem_type"].isin(kinds)]


def _capacity(allowed: pd.DataFrame, kinds: tuple[str, ...] | None, cell: Cell) -> Counter[int] | None:
    """For matched lengths, how many trajectories of each class all compared levels can give to one of their strata."""
    _, length, style = _levels(cell)
    if length.across is None:
        return None
    if length.across.problem_types and (
        kinds is None or len(kinds) != 1 or kinds[0] not in length.across.problem_types
    ):
        raise ConfigProblems(
            [
                f"length.across.problem_types: given {list(length.across.problem_types)} for {cell.slug}; it must hold the "
                "cell's own type, and the category one type or an even draw from several"
            ]
        )
    types: list[tuple[str, ...] | None] = [(kind,) for kind in length.across.problem_types]
    # Paired styles have their lengths compared problem by problem already.
    styles = length.across.styles if length.across.styles and not style.paired else (style.name,)
    if style.name not in styles:
        raise ConfigProblems(
            [f"length.across.styles: given {list(styles)} for {cell.slug}; it must hold {style.name!r}"]
        )
    compared = [
        of_style(_of_types(allowed, of_types), style.model_copy(update={"name": name}), length)
        for of_types, name in product(types or [kinds], styles)
    ]
    return common_capacity(compared, length.tolerance)


def _refuse_absent_levels(pool: pd.DataFrame, cell: Cell) -> None:
    category, length, style = _levels(cell)
    types, styles = sorted(pool["problem_type"].dropna().unique()), sorted(pool["style"].unique())
    across = length.across or Across.model_construct(styles=(), problem_types=())
    wanted = (
        ("category.problem_types", category.problem_types or (), types),
        ("length.across.problem_types", across.problem_types, types),
        ("style.name", (style.name,), styles),
        ("style.paired", style.paired, styles),
        ("length.across.styles", across.styles, styles),
    )
    corpus = cell.corpus.name if cell.corpus else "?"
    problems = [
        f"{field}: given {name!r}; corpus {corpus} has: {', '.join(there) or 'none'}{did_you_mean(name, there)}"
        for field, names, there in wanted
        for name in names
        if name not in there
    ]
    if problems:
        way = "; style.paired=[] draws each style by itself"
        raise ConfigProblems([f"{one}{way}" if one.startswith("style.paired") else one for one in problems])
