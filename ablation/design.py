"""From the levels of factors to the points of a grid; pure.

A point maps override keys to level names (``{"category": "algebra", "count": "n100", "seed": "0"}``). What a design leaves out
it names, with the reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from ablation.errors import ConfigProblems
from ablation.spec import Spec

Point = dict[str, str]
FACTORS = ("category", "count", "length", "style")
# Its only value, so a level of it is a level of the factor.
WHOLE_COUNT = "count.size"


class Exclusion(Spec):
    """Leaves out each point that has, for every key of `when`, the given level or one of them."""

    when: dict[str, str | tuple[str, ...]]
    reason: str

    def matches(self, point: Point) -> bool:
        """True when every condition holds on this point."""
        return all(
            point.get(key) in ((levels,) if isinstance(levels, str) else levels) for key, levels in self.when.items()
        )


class Design(Spec):
    """Which points to visit.

    `factorial` crosses all levels of `vary`; `one_at_a_time` visits the baseline and, for each factor, each of its levels with
    the others at the baseline. A factor that is not varied stays at its `baseline` level, or at the configuration's when it has
    none. `base` adds the untrained model. Every point is repeated for each of the `seeds`.
    """

    kind: Literal["factorial", "one_at_a_time"]
    vary: dict[str, tuple[str, ...]]
    baseline: dict[str, str]
    seeds: tuple[int, ...]
    base: bool
    exclude: tuple[Exclusion, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A point that was not taken, and why."""

    point: Point
    reason: str


@dataclass(frozen=True)
class Expansion:
    """The points to run in order, without duplicates, and the points that were left out. `merged` counts the duplicates."""

    points: tuple[Point, ...]
    left_out: tuple[LeftOut, ...]
    merged: int


def expand(design: Design) -> Expansion:
    """All points of a design. Raises ConfigProblems when a factor has no level, or nothing is left."""
    empty = [
        f"sweep.vary.{key}: no level given; give at least one, or drop the factor"
        for key, levels in design.vary.items()
        if not levels
    ]
    if not design.seeds:
        empty.append("sweep.seeds: no seed given; give at least one")
    if empty:
        raise ConfigProblems(empty)
    shapes = _factorial(design) if design.kind == "factorial" else _one_at_a_time(design)
    trained = [{**shape, "seed": str(seed)} for seed in design.seeds for shape in shapes]
    bases = _base_shapes(design) if design.base else []
    untrained = [{**shape, "seed": str(seed)} for seed in design.seeds for shape in bases]
    unique = list({tuple(sorted(point.items())): point for point in (*untrained, *trained)}.values())
    left_out = [LeftOut(point, reason) for point in unique if (reason := _reason(design.exclude, point))]
    kept = [point for point in unique if not _reason(design.exclude, point)]
    if not kept:
        raise ConfigProblems(
            ["the design is empty: every point is excluded: " + "; ".join(sorted({out.reason for out in left_out}))]
        )
    return Expansion(tuple(kept), tuple(left_out), len(untrained) + len(trained) - len(unique))


def _factorial(design: Design) -> list[Point]:
    return [
        {**design.baseline, **dict(zip(design.vary, levels, strict=True))} for levels in product(*design.vary.values())
    ]


def _one_at_a_time(design: Design) -> list[Point]:
    homeless = [key for key in design.vary if key not in design.baseline]
    if homeless:
        raise ConfigProblems(
            [f"sweep.baseline: needs a level for {', '.join(homeless)}, since the design varies one factor at a time"]
        )
    return [
        design.baseline,
        *({**design.baseline, key: level} for key, levels in design.vary.items() for level in levels),
    ]


def _base_shapes(design: Design) -> list[Point]:
    """The untrained model wherever it is evaluated differently: what only trains has no say in it."""
    evaluated = {key: levels for key, levels in design.vary.items() if _evaluates(key)}
    fixed = {key: level for key, level in design.baseline.items() if _evaluates(key)}
    shapes = product(*evaluated.values())
    return [{**fixed, **dict(zip(evaluated, levels, strict=True)), "count": "n0"} for levels in shapes]


def _evaluates(key: str) -> bool:
    return key.split(".")[0] in ("model", "benchmark", "sample") or key == "seed.sample"


def _reason(exclusions: Iterable[Exclusion], point: Point) -> str | None:
    return next((exclusion.reason for exclusion in exclusions if exclusion.matches(point)), None)


def override(design: Design, levels: Mapping[str, tuple[str, ...]]) -> Design:
    """The design with levels given on the command line: they replace the factor's own, and a single level its baseline too.

    ``count.size`` stands for the whole factor `count`. A key that the design does not know becomes a further factor.
    """
    vary, baseline, seeds = dict(design.vary), dict(design.baseline), design.seeds
    for key, given in levels.items():
        if key == "seed":
            seeds = _integers(given)
            continue
        if key in ("count", WHOLE_COUNT):
            for known in ("count", WHOLE_COUNT):
                vary.pop(known, None)
                baseline.pop(known, None)
        vary[key] = given
        baseline[key] = given[0]
    return design.model_copy(update={"vary": vary, "baseline": baseline, "seeds": seeds})


def _integers(given: tuple[str, ...]) -> tuple[int, ...]:
    wrong = [text for text in given if not (text.isascii() and text.isdigit())]
    if wrong:
        raise ConfigProblems([f"seed: given {text!r}; allowed: an integer from 0" for text in wrong])
    return tuple(int(text) for text in given)
