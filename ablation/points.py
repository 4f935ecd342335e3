"""From a design to its points; pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from ablation.design import Design, LeftOut, Point, factor_of, faults
from ablation.errors import ConfigProblems


@dataclass(frozen=True)
class Expansion:
    """The points to run in order, without duplicates, and the points that were left out. `merged` counts the duplicates."""

    points: tuple[Point, ...]
    left_out: tuple[LeftOut, ...]
    merged: int


def expand(design: Design) -> Expansion:
    """All points of a design. Raises ConfigProblems when it is incomplete, contradicts itself, is too large or is empty."""
    problems = faults(design) or _too_many(design)
    if problems:
        raise ConfigProblems(problems)
    shapes = [*_shapes(design), *_included(design)]
    asked = [shape for shape in shapes if not _unasked(design, shape)]
    trained = _seeded(asked, design.seeds)
    untrained = _seeded(_unique(map(_base_shape, asked)), design.seeds) if design.base else []
    unique = _unique([*untrained, *trained])
    reasons = [next((one.reason for one in design.exclude if one.matches(point)), None) for point in unique]
    left_out = [
        *(LeftOut(shape, reason) for shape in shapes if (reason := _unasked(design, shape))),
        *(LeftOut(point, reason) for point, reason in zip(unique, reasons, strict=True) if reason),
    ]
    kept = tuple(point for point, reason in zip(unique, reasons, strict=True) if not reason)
    if not kept:
        told = "; ".join(sorted({out.reason for out in left_out}))
        raise ConfigProblems(
            [f"the design is empty: {f'every point is left out: {told}' if told else 'it has no point'}"]
        )
    return Expansion(kept, tuple(left_out), len(untrained) + len(trained) - len(unique))


def remarks(design: Design, expansion: Expansion) -> list[str]:
    """What the design leaves out, adds, moves together and merges, each with its reason: lines to read before spending."""
    counts = Counter(out.reason for out in expansion.left_out)
    told = [f"left out {_cells(count)}: {reason}" for reason, count in counts.items()]
    for group in design.zip:
        steps = next(axis for axis in _axes(design) if tuple(axis[0]) == group.keys)
        told.append(f"moved together: {'; '.join(map(_told, steps))}: {group.reason}")
    told += [
        f"added {_told(one.point)}: {one.reason}" for one in design.include if not _unasked(design, dict(one.point))
    ]
    return [*told, *([f"{_cells(expansion.merged)} merged with an equal one"] if expansion.merged else [])]


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


def _told(point: Point) -> str:
    return " ".join(f"{key}={level}" for key, level in point.items())


def _too_many(design: Design) -> list[str]:
    """Counted, not listed: a grid of millions is refused at once."""
    lengths = {" with ".join(axis[0]): len(axis) for axis in _axes(design)}
    own = {"points": len(design.points)} if design.kind == "list" else {}
    steps = 1 + sum(lengths.values()) if design.kind == "one_at_a_time" else prod([*own.values(), *lengths.values()])
    extra = len(design.include) * prod(map(len, design.only.values()))
    total = (steps + extra) * len(design.seeds)
    if total <= design.max_cells:
        return []
    sizes = ", ".join(f"{name} {count:,}" for name, count in {**own, **lengths, "seed": len(design.seeds)}.items())
    return [
        f"the design has {total:,} points ({sizes}), and no more than {design.max_cells:,} are taken unasked; "
        f"narrow it, or say sweep.design.max_cells={total}"
    ]


def _axes(design: Design) -> list[list[Point]]:
    """What moves independently, a varied key or a zipped group, as the partial points that it steps through."""
    group = {key: one.keys for one in design.zip for key in one.keys}
    together = dict.fromkeys(group.get(key, (key,)) for key in design.vary)
    return [
        [dict(zip(keys, levels, strict=True)) for levels in zip(*(design.vary[key] for key in keys), strict=True)]
        for keys in together
    ]


def _shapes(design: Design) -> list[Point]:
    """The points of the design's kind without their seeds, duplicates included."""
    axes = _axes(design)
    if design.kind == "one_at_a_time":
        moved = [{**design.baseline, **step} for axis in axes for step in axis]
        return [dict(design.baseline), *(point for point in moved if point != design.baseline)]
    starts = design.points if design.kind == "list" else ({},)
    return [_joined(design.baseline, start, *steps) for start in starts for steps in product(*axes)]


def _included(design: Design) -> list[Point]:
    """The extra points, each at every level that the command line gives for a key that it does not name."""
    found = []
    for one in design.include:
        own = {factor_of(key) for key in (*one.point, "seed")}
        free = {key: levels for key, levels in design.only.items() if factor_of(key) not in own}
        found += [
            _joined(design.baseline, one.point, dict(zip(free, levels, strict=True)))
            for levels in product(*free.values())
        ]
    return found


def _unasked(design: Design, shape: Point) -> str | None:
    """Why the command line leaves out a listed or included point: it names another level of a factor that is given there."""
    for key, levels in design.only.items():
        own = {name: level for name, level in shape.items() if factor_of(name) == factor_of(key)}
        if own and own.get(key) not in levels:
            return f"the command line asks for {key}={','.join(levels)}"
    return None


def _joined(*parts: Point) -> Point:
    """Later parts win; a level of a factor's only value takes the place of the factor's level."""
    joined: Point = {}
    for part in parts:
        for key, level in part.items():
            joined = {name: kept for name, kept in joined.items() if factor_of(name) != factor_of(key) or name == key}
            joined[key] = level
    return joined


def _seeded(shapes: Sequence[Point], seeds: Iterable[int]) -> list[Point]:
    """Every shape at every seed; a shape that names its own seed comes once."""
    repeated = [{**shape, "seed": str(seed)} for seed in seeds for shape in shapes if "seed" not in shape]
    return [*repeated, *(shape for shape in shapes if "seed" in shape)]


def _unique(points: Iterable[Point]) -> list[Point]:
    return list({tuple(sorted(point.items())): point for point in points}.values())


def _base_shape(shape: Point) -> Point:
    """The untrained model beside this point: what only trains has no say in it."""
    return {**{key: level for key, level in shape.items() if _evaluates(key)}, "count": "n0"}


def _evaluates(key: str) -> bool:
    return key.split(".")[0] in ("model", "benchmark", "sample") or key in ("seed", "seed.sample")
