"""From a design to its points; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from ablation.config.sweep.design import COUNT_SIZE, Design, LeftOut, Point, Zip, design_problems, factor_of
from ablation.errors import ConfigProblems, nearest


@dataclass(frozen=True)
class DesignPoints:
    """The points to run in order, without duplicates, and the points that were left out. `merged` counts the duplicates."""

    points: tuple[Point, ...]
    left_out: tuple[LeftOut, ...]
    merged: int


def expand_design(design: Design) -> DesignPoints:
    """All points of a design. Raises ConfigProblems when it is incomplete, contradicts itself, is too large or is empty."""
    problems = design_problems(design) or _too_many(design)
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
    return DesignPoints(kept, tuple(left_out), len(untrained) + len(trained) - len(unique))


def remarks(design: Design, expansion: DesignPoints) -> list[str]:
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


def narrow(design: Design, levels: Mapping[str, tuple[str, ...]]) -> Design:
    """The design with levels given on the command line: they replace the factor's own, and a single level its baseline too.

    ``count.size`` stands for the whole factor `count`. A key that the design does not know becomes a further factor. Of zipped
    keys, one alone chooses among the pairs; all together replace them. Of listed and included points, those remain that have
    the given levels. Raises ConfigProblems.
    """
    if "count" in levels and COUNT_SIZE in levels:
        raise ConfigProblems([f"count and {COUNT_SIZE} are one factor; give one of them"])
    pairs, problems = _narrowed_pairs(design, levels)
    given = {**levels, **pairs}
    seeds = _integers(given.pop("seed")) if "seed" in given else design.seeds
    if problems:
        raise ConfigProblems(problems)
    listed = {factor_of(key) for point in design.points for key in point}
    vary, baseline = dict(design.vary), dict(design.baseline)
    for key, wanted in given.items():
        for known in [name for name in (*vary, *baseline) if factor_of(name) == factor_of(key) and name != key]:
            vary.pop(known, None)
            baseline.pop(known, None)
        if factor_of(key) not in listed:
            vary[key] = wanted
            baseline[key] = wanted[0]
    return design.model_copy(update={"vary": vary, "baseline": baseline, "seeds": seeds, "only": dict(levels)})


def _narrowed_pairs(
    design: Design, levels: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The levels of zipped keys of which some but not all are given, so that no pair is broken."""
    found: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for group in design.zip:
        rows = list(zip(*(design.vary.get(key, ()) for key in group.keys), strict=False))
        columns = dict(zip(group.keys, zip(*rows, strict=True), strict=False))
        given = {key: wanted for key, wanted in levels.items() if factor_of(key) in map(factor_of, group.keys)}
        if set(given) == set(group.keys):
            continue
        for key, wanted in given.items():
            known = columns.get(key, ())
            problems += [_unpaired(group, key, level, known) for level in wanted if level not in known]
        kept = [
            row
            for row in rows
            if all(level in given.get(key, (level,)) for key, level in zip(group.keys, row, strict=True))
        ]
        if given:
            found |= {key: tuple(row[at] for row in kept) for at, key in enumerate(group.keys)}
    return found, problems


def _unpaired(group: Zip, key: str, level: str, known: Sequence[str]) -> str:
    allowed = f"allowed: {', '.join(known)}{nearest(level, known)}; or" if known else "instead,"
    return f"{key}={level}: {' and '.join(group.keys)} move together ({group.reason}); {allowed} give levels of each of them"


def _integers(given: tuple[str, ...]) -> tuple[int, ...]:
    wrong = [text for text in given if not (text.isascii() and text.isdigit())]
    if wrong:
        raise ConfigProblems([f"seed: given {text!r}; allowed: an integer from 0" for text in wrong])
    return tuple(int(text) for text in given)
