"""What a sweep file may say: the levels of factors, and what to leave out, add or move together, each with its reason; pure.

A point maps override keys to level names (``{"category": "algebra", "count": "n100", "seed": "0"}``).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ablation.errors import nearest
from ablation.specs.base import Spec

Point = dict[str, str]
FACTORS = ("category", "count", "length", "style")
# Its only value, so a level of it is a level of the factor.
COUNT_SIZE = "count.size"


def _as_typed(value: Any) -> Any:
    """A number, truth value or null as it is typed on the command line: ``train.epochs: [5, 10]`` needs no quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, (int, float)) else value


Level = Annotated[str, BeforeValidator(_as_typed)]
Reason = Annotated[str, Field(min_length=1)]


class Exclusion(Spec):
    """Leaves out each point that has, for every key of `when`, the given level or one of them."""

    when: dict[str, Level | tuple[Level, ...]]
    reason: Reason

    def matches(self, point: Point) -> bool:
        """True when every condition holds on this point."""
        return all(
            point.get(key) in ((levels,) if isinstance(levels, str) else levels) for key, levels in self.when.items()
        )


class Inclusion(Spec):
    """A point beyond the grid. A key that it does not name stays at the baseline."""

    point: dict[str, Level]
    reason: Reason


class Zip(Spec):
    """Varied keys whose levels move together, the first of each, the second of each, and so on."""

    keys: Annotated[tuple[str, ...], Field(min_length=2)]
    reason: Reason


class Design(Spec):
    """Which points to visit.

    `factorial` crosses all levels of `vary`; `one_at_a_time` visits the baseline and, for each factor, each of its levels with
    the others at the baseline; `list` visits `points`, each crossed with `vary`. Keys in `zip` count as one factor. A factor that
    is not varied stays at its `baseline` level, or at the configuration's when it has none. `base` adds the untrained model
    wherever the others are evaluated. Every point is repeated for each of the `seeds`, unless it names its own ``seed``.
    More than `max_cells` points are refused. `only` holds what the command line asks for: a listed or included point that names
    another level is left out.
    """

    kind: Literal["factorial", "one_at_a_time", "list"]
    vary: dict[str, tuple[Level, ...]] = Field(default_factory=dict)
    points: tuple[dict[str, Level], ...] = ()
    baseline: dict[str, Level] = Field(default_factory=dict)
    seeds: tuple[int, ...]
    base: bool
    zip: tuple[Zip, ...] = ()
    include: tuple[Inclusion, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    max_cells: Annotated[int, Field(gt=0)] = 20_000
    only: dict[str, tuple[Level, ...]] = Field(default_factory=dict)

    def keys(self) -> set[str]:
        """Every key that the design sets on some point."""
        return {*self.vary, *self.baseline, *(key for point in self.named() for key in point)}

    def named(self) -> list[Point]:
        """The points that stand in the design one by one."""
        return [*self.points, *(one.point for one in self.include)]


@dataclass(frozen=True)
class LeftOut:
    """A point that was not taken, and why."""

    point: Point
    reason: str


def design_problems(design: Design) -> list[str]:
    """What is missing or contradicts itself, as sentences."""
    found = [
        f"sweep.vary.{key}: no level given; give at least one, or drop the factor"
        for key, levels in design.vary.items()
        if not levels
    ]
    if not design.seeds:
        found.append("sweep.seeds: no seed given; give at least one")
    if design.points and design.kind != "list":
        found.append(f"sweep.points: read with kind=list only, and the kind is {design.kind}")
    zips = _zip_faults(design)
    return [*found, *zips, *([] if zips else _homeless(design))]


def exclusions_on_unset_keys(design: Design) -> list[str]:
    """Conditions on keys that the design never sets, most often misspelt: such an exclusion would leave out nothing."""
    known = sorted({*design.keys(), "seed"})
    return [
        f"sweep.exclude: {key} is no key of this design, so {one.reason!r} leaves out nothing; "
        f"allowed: {', '.join(known)}{nearest(key, known)}"
        for one in design.exclude
        for key in one.when
        if factor_of(key) not in set(map(factor_of, known))
    ]


def _zip_faults(design: Design) -> list[str]:
    found = []
    zipped = [key for group in design.zip for key in group.keys]
    for key in dict.fromkeys(zipped):
        if key not in design.vary:
            found.append(
                f"sweep.zip: {key} is not varied; allowed: {', '.join(design.vary)}{nearest(key, list(design.vary))}"
            )
        if zipped.count(key) > 1:
            found.append(f"sweep.zip: {key} stands there twice; a key moves with one group")
    for group in design.zip:
        lengths = {key: len(design.vary[key]) for key in group.keys if key in design.vary}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {count}" for key, count in lengths.items())
            found.append(f"sweep.zip: levels are paired position by position, but {told}; give as many of each")
    return found


def _homeless(design: Design) -> list[str]:
    """Points that would silently take a level from the configuration while others of the study have one of their own."""
    named = [*(("points", point) for point in design.points), *(("include", one.point) for one in design.include)]
    listed = [key for point in design.points for key in point]
    wanted = dict.fromkeys((*listed, *design.vary)) if named or design.kind == "one_at_a_time" else {}
    homes = {factor_of(key) for key in design.baseline}
    found = []
    if design.kind == "one_at_a_time" and (without := [key for key in design.vary if factor_of(key) not in homes]):
        found.append(
            f"sweep.baseline: needs a level for {', '.join(without)}, since the design varies one factor at a time"
        )
    for place, point in named:
        own = {factor_of(key) for key in point} | (
            {factor_of(key) for key in design.vary} if place == "points" else set()
        )
        if without := [key for key in wanted if factor_of(key) not in own | homes | {"seed"}]:
            told = " ".join(f"{key}={level}" for key, level in point.items())
            found.append(
                f"sweep.{place}: {told or 'a point'} needs a level for {', '.join(without)}; give it there or in sweep.baseline"
            )
    return found


def factor_of(key: str) -> str:
    """A key, or the factor whose only value it is."""
    return "count" if key == COUNT_SIZE else key
