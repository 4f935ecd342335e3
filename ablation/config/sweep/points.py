"""From a design to its points; pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from ablation.config.sweep.design import Design, LeftOut, Point, design_problems, factor_of
from ablation.errors import ConfigProblems


@dataclass(frozen=True)
class DesignPoints:
    """The points of a design."""

    points: tuple[Point, ...]
    """The points to run, in order, without duplicates."""
    left_out: tuple[LeftOut, ...]
    """The points that the command line or an exclusion leaves out."""
    merged: int
    """The number of duplicates."""


def expand_design(design: Design) -> DesignPoints:
    """Return all points of a design, the untrained ones first.

    >>> design = Design(kind="factorial", vary={"count": ("n25", "n50")}, seeds=(0, 1), base=True)
    >>> for point in expand_design(design).points:
    ...     print(point)
    {'count': 'n0', 'seed': '0'}
    {'count': 'n0', 'seed': '1'}
    {'count': 'n25', 'seed': '0'}
    {'count': 'n50', 'seed': '0'}
    {'count': 'n25', 'seed': '1'}
    {'count': 'n50', 'seed': '1'}

    Raises ConfigProblems when the design is incomplete, contradicts itself, is too large or is empty.
    """
    if problems := design_problems(design) or _excess(design):
        raise ConfigProblems(problems)
    unseeded = [*_points_by_kind(design), *_included_points(design)]
    unrequested = [LeftOut(point, reason) for point in unseeded if (reason := _reason_unrequested(design, point))]
    requested = [point for point in unseeded if not _reason_unrequested(design, point)]
    trained = _repeat_for_seeds(requested, design.seeds)
    untrained: list[Point] = []
    if design.base:
        # Many trained points share one untrained model. That is no duplicate of the design, so it is not counted as merged.
        untrained = _repeat_for_seeds(_unique_points(map(_untrained_point, requested)), design.seeds)
    unique = _unique_points([*untrained, *trained])
    reasons = [_exclusion_reason(design, point) for point in unique]
    excluded = [LeftOut(point, reason) for point, reason in zip(unique, reasons, strict=True) if reason]
    points = tuple(point for point, reason in zip(unique, reasons, strict=True) if not reason)
    left_out = (*unrequested, *excluded)
    if not points:
        raise ConfigProblems([_empty_design(left_out)])
    return DesignPoints(points, left_out, len(untrained) + len(trained) - len(unique))


def remarks(design: Design, points: DesignPoints) -> list[str]:
    """Return the lines to read before spending: what is left out, moved together, added and merged, each with its reason."""
    counts = Counter(out.reason for out in points.left_out)
    lines = [f"left out {_cells_in_words(count)}: {reason}" for reason, count in counts.items()]
    for group in design.zip:
        steps = next(axis for axis in _axes(design) if tuple(axis[0]) == group.keys)
        lines.append(f"moved together: {'; '.join(map(_point_in_words, steps))}: {group.reason}")
    for inclusion in design.include:
        if not _reason_unrequested(design, inclusion.point):
            lines.append(f"added {_point_in_words(inclusion.point)}: {inclusion.reason}")
    return [*lines, *([f"{_cells_in_words(points.merged)} merged with an equal one"] if points.merged else [])]


def _cells_in_words(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


def _point_in_words(point: Point) -> str:
    return " ".join(f"{key}={level}" for key, level in point.items())


def _empty_design(left_out: Sequence[LeftOut]) -> str:
    reasons = "; ".join(sorted({out.reason for out in left_out}))
    return f"the design is empty: {f'every point is left out: {reasons}' if reasons else 'it has no point'}"


def _excess(design: Design) -> list[str]:
    """Return a sentence when the design has more than `max_cells` points. They are counted, not listed: there may be millions."""
    axis_lengths = {" with ".join(axis[0]): len(axis) for axis in _axes(design)}
    listed = {"points": len(design.points)} if design.kind == "list" else {}
    if design.kind == "one_at_a_time":
        grid_size = 1 + sum(axis_lengths.values())
    else:
        grid_size = prod([*listed.values(), *axis_lengths.values()])
    # An upper bound: an included point that names a requested key is not repeated for its levels.
    included = len(design.include) * prod(map(len, design.requested.values()))
    total = (grid_size + included) * len(design.seeds)
    if total <= design.max_cells:
        return []
    lengths = {**listed, **axis_lengths, "seed": len(design.seeds)}
    sizes = ", ".join(f"{name} {count:,}" for name, count in lengths.items())
    return [
        f"the design has {total:,} points ({sizes}), and no more than {design.max_cells:,} are taken unasked; "
        f"narrow it, or say sweep.design.max_cells={total}"
    ]


def _axes(design: Design) -> list[list[Point]]:
    """Return the axes of the grid, each as the partial points that it steps through.

    A varied key is an axis; the keys of a zip are one axis together.
    """
    group_of = {key: group.keys for group in design.zip for key in group.keys}
    axis_keys = dict.fromkeys(group_of.get(key, (key,)) for key in design.vary)
    return [
        [dict(zip(keys, levels, strict=True)) for levels in zip(*(design.vary[key] for key in keys), strict=True)]
        for keys in axis_keys
    ]


def _points_by_kind(design: Design) -> list[Point]:
    """Return the points of the design's kind without their seeds, duplicates included."""
    axes = _axes(design)
    if design.kind == "one_at_a_time":
        moved = [{**design.baseline, **step} for axis in axes for step in axis]
        # Every axis steps through the baseline, too, and that is no duplicate to report.
        return [dict(design.baseline), *(point for point in moved if point != design.baseline)]
    starts = design.points if design.kind == "list" else ({},)
    return [_merge_levels(design.baseline, start, *steps) for start in starts for steps in product(*axes)]


def _included_points(design: Design) -> list[Point]:
    """Return the included points, each at every requested level of a key that it does not name."""
    points = []
    for inclusion in design.include:
        # `narrow` turns requested seeds into the seeds of the design.
        set_factors = {factor_of(key) for key in (*inclusion.point, "seed")}
        free = {key: levels for key, levels in design.requested.items() if factor_of(key) not in set_factors}
        points += [
            _merge_levels(design.baseline, inclusion.point, dict(zip(free, levels, strict=True)))
            for levels in product(*free.values())
        ]
    return points


def _reason_unrequested(design: Design, point: Point) -> str | None:
    """Return the reason why the command line leaves out a point: it names another level of a requested factor."""
    for key, levels in design.requested.items():
        # A point may name a factor by its other key: `count` is requested, and the point says `count.size`.
        named = {name: level for name, level in point.items() if factor_of(name) == factor_of(key)}
        if named and named.get(key) not in levels:
            return f"the command line asks for {key}={','.join(levels)}"
    return None


def _exclusion_reason(design: Design, point: Point) -> str | None:
    return next((exclusion.reason for exclusion in design.exclude if exclusion.matches(point)), None)


def _merge_levels(*parts: Point) -> Point:
    """Return one point of several parts. Later parts win, and a level of ``count.size`` takes the place of one of ``count``."""
    merged: Point = {}
    for part in parts:
        for key, level in part.items():
            merged = {name: kept for name, kept in merged.items() if factor_of(name) != factor_of(key) or name == key}
            merged[key] = level
    return merged


def _repeat_for_seeds(points: Sequence[Point], seeds: Iterable[int]) -> list[Point]:
    """Return every point at every seed; a point that names its seed comes once."""
    repeated = [{**point, "seed": str(seed)} for seed in seeds for point in points if "seed" not in point]
    return [*repeated, *(point for point in points if "seed" in point)]


def _unique_points(points: Iterable[Point]) -> list[Point]:
    return list({tuple(sorted(point.items())): point for point in points}.values())


def _untrained_point(point: Point) -> Point:
    """Return the point of the untrained model that is evaluated as this one is: without the keys that only training reads."""
    return {**{key: level for key, level in point.items() if _changes_evaluation(key)}, "count": "n0"}


def _changes_evaluation(key: str) -> bool:
    return key.split(".")[0] in ("model", "benchmark", "sample") or key in ("seed", "seed.sample")
