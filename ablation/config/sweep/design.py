"""The content of a sweep file: the levels of factors, and what to leave out, add or move together, each with its reason; pure.

A point maps override keys to level names (``{"category": "algebra", "count": "n100", "seed": "0"}``).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ablation.errors import did_you_mean
from ablation.specs.base import Spec

Point = dict[str, str]
# The only value of the factor `count`, so a level of this key is a level of the factor.
COUNT_SIZE = "count.size"


def _as_typed(value: Any) -> Any:
    """Return a number, truth value or null as a person types it: ``train.epochs: [5, 10]`` needs no quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, (int, float)) else value


Level = Annotated[str, BeforeValidator(_as_typed)]
Reason = Annotated[str, Field(min_length=1)]


class Exclusion(Spec):
    """A rule that leaves points out."""

    when: dict[str, Level | tuple[Level, ...]]
    """A level, or several, for each key. A point is left out when it has one of them for every key."""
    reason: Reason
    """Sentence that is shown with every point that the rule leaves out."""

    def matches(self, point: Point) -> bool:
        """True when every condition holds on this point."""
        return all(
            point.get(key) in ((levels,) if isinstance(levels, str) else levels) for key, levels in self.when.items()
        )


class Inclusion(Spec):
    """A point beyond the grid."""

    point: dict[str, Level]
    """Its levels. A key that is not named stays at the baseline."""
    reason: Reason
    """Sentence that is shown with the point."""


class Zip(Spec):
    """Varied keys whose levels move together: the first level of each, the second of each, and so on."""

    keys: Annotated[tuple[str, ...], Field(min_length=2)]
    """The keys that move together."""
    reason: Reason
    """Sentence that says why the levels move together."""


class Design(Spec):
    """The points to visit, as a sweep file describes them."""

    kind: Literal["factorial", "one_at_a_time", "list"]
    """`factorial` crosses all levels of `vary`. `one_at_a_time` visits the baseline and, for each factor, each of its levels
    with the other factors at the baseline. `list` visits `points`, each crossed with `vary`."""
    vary: dict[str, tuple[Level, ...]] = Field(default_factory=dict)
    """The levels of each varied key."""
    points: tuple[dict[str, Level], ...] = ()
    """The listed points, with ``kind: list`` only."""
    baseline: dict[str, Level] = Field(default_factory=dict)
    """The level of each key that a point does not name. Without one here, the configuration's own level holds."""
    seeds: tuple[int, ...]
    """Every point is repeated for each of these, unless it names a ``seed`` itself."""
    base: bool
    """True adds the untrained model wherever the others are evaluated."""
    zip: tuple[Zip, ...] = ()
    """Groups of keys that move together; each group counts as one factor."""
    include: tuple[Inclusion, ...] = ()
    """Points beyond the grid."""
    exclude: tuple[Exclusion, ...] = ()
    """Rules that leave points out."""
    max_cells: Annotated[int, Field(gt=0)] = 20_000
    """A design with more points than this is refused."""
    requested: dict[str, tuple[Level, ...]] = Field(default_factory=dict)
    """The levels that the command line asks for. A listed or included point that names another level is left out."""

    def keys(self) -> set[str]:
        """Return every key that the design sets on some point."""
        return {*self.vary, *self.baseline, *(key for point in self.listed_points() for key in point)}

    def listed_points(self) -> list[Point]:
        """Return the points that stand in the design one by one."""
        return [*self.points, *(inclusion.point for inclusion in self.include)]


@dataclass(frozen=True)
class LeftOut:
    """A point that is not taken."""

    point: Point
    reason: str


def design_problems(design: Design) -> list[str]:
    """Return a sentence for everything that is missing in a design or contradicts itself."""
    problems = [
        f"sweep.vary.{key}: no level given; give at least one, or drop the factor"
        for key, levels in design.vary.items()
        if not levels
    ]
    if not design.seeds:
        problems.append("sweep.seeds: no seed given; give at least one")
    if design.points and design.kind != "list":
        problems.append(f"sweep.points: read with kind=list only, and the kind is {design.kind}")
    # A key of a broken zip would be reported a second time as a level that is missing.
    return [*problems, *(_zip_problems(design) or _missing_levels(design))]


def exclusions_on_unset_keys(design: Design) -> list[str]:
    """Return a sentence for each exclusion on a key that the design never sets: it is most often misspelt and has no effect."""
    keys = sorted({*design.keys(), "seed"})
    return [
        f"sweep.exclude: {key} is no key of this design, so {exclusion.reason!r} leaves out nothing; "
        f"allowed: {', '.join(keys)}{did_you_mean(key, keys)}"
        for exclusion in design.exclude
        for key in exclusion.when
        if factor_of(key) not in set(map(factor_of, keys))
    ]


def _zip_problems(design: Design) -> list[str]:
    """Return a sentence for each zipped key that is not varied or stands twice, and each group of unequal lengths."""
    zipped_keys = [key for group in design.zip for key in group.keys]
    problems = []
    for key in dict.fromkeys(zipped_keys):
        if key not in design.vary:
            problems.append(
                f"sweep.zip: {key} is not varied; allowed: {', '.join(design.vary)}{did_you_mean(key, list(design.vary))}"
            )
        if zipped_keys.count(key) > 1:
            problems.append(f"sweep.zip: {key} stands there twice; a key moves with one group")
    for group in design.zip:
        # A key that is not varied has its own sentence above.
        lengths = {key: len(design.vary[key]) for key in group.keys if key in design.vary}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{key} has {count}" for key, count in lengths.items())
            problems.append(f"sweep.zip: levels are paired position by position, but {counts}; give as many of each")
    return problems


def _missing_levels(design: Design) -> list[str]:
    """Return a sentence for each point that lacks a level which other points of the study have.

    Such a point would silently take the configuration's level.
    """
    listed_keys = [key for point in design.points for key in point]
    needed_keys = dict.fromkeys((*listed_keys, *design.vary))
    baseline_factors = {factor_of(key) for key in design.baseline}
    problems = []
    unset_keys = [key for key in design.vary if factor_of(key) not in baseline_factors]
    if unset_keys and design.kind == "one_at_a_time":
        problems.append(
            f"sweep.baseline: needs a level for {', '.join(unset_keys)}, since the design varies one factor at a time"
        )
    # A listed point is crossed with `vary`, so it has those levels; an included point is taken alone.
    varied_factors = {factor_of(key) for key in design.vary}
    for section, point, crossed_factors in (
        *(("points", point, varied_factors) for point in design.points),
        *(("include", inclusion.point, set[str]()) for inclusion in design.include),
    ):
        # Every point has a seed: one of the design's, unless it names one.
        set_factors = {factor_of(key) for key in point} | crossed_factors | baseline_factors | {"seed"}
        if keys := [key for key in needed_keys if factor_of(key) not in set_factors]:
            levels = " ".join(f"{key}={level}" for key, level in point.items())
            problems.append(
                f"sweep.{section}: {levels or 'a point'} needs a level for {', '.join(keys)}; "
                "give it there or in sweep.baseline"
            )
    return problems


def factor_of(key: str) -> str:
    """Return the factor whose only value this key is, or the key itself."""
    return "count" if key == COUNT_SIZE else key
