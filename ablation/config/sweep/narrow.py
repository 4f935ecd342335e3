"""A design narrowed by the levels of the command line; pure."""

from collections.abc import Mapping, Sequence

from ablation.config.sweep.design import COUNT_SIZE, Design, Zip, factor_of
from ablation.errors import ConfigProblems, did_you_mean

Levels = tuple[str, ...]


def narrow(design: Design, levels: Mapping[str, Levels]) -> Design:
    """Return the design with `levels` of the command line in place of its own. The first level of each becomes its baseline.

    >>> design = Design(kind="factorial", vary={"count": ("n25", "n50"), "style": ("r1",)}, seeds=(0, 1), base=False)
    >>> narrowed = narrow(design, {"count": ("n100", "n200"), "seed": ("3",)})
    >>> narrowed.vary, narrowed.baseline, narrowed.seeds
    ({'count': ('n100', 'n200'), 'style': ('r1',)}, {'count': 'n100'}, (3,))

    ``count.size`` stands for the whole factor ``count``. A key that is new to the design becomes a further factor. Of zipped
    keys, one alone chooses among the pairs, and all together replace them. Of listed and included points, those remain that
    have the requested levels. Raises ConfigProblems.
    """
    if "count" in levels and COUNT_SIZE in levels:
        raise ConfigProblems([f"count and {COUNT_SIZE} are one factor; give one of them"])
    pairs, problems = _narrow_zips(design, levels)
    new_levels = {**levels, **pairs}
    seeds = _integers(new_levels.pop("seed")) if "seed" in new_levels else design.seeds
    if problems:
        raise ConfigProblems(problems)
    listed_factors = {factor_of(key) for point in design.points for key in point}
    vary, baseline = dict(design.vary), dict(design.baseline)
    for key, key_levels in new_levels.items():
        # `count` and `count.size` on one point would contradict each other: the one on the command line wins.
        for name in [name for name in (*vary, *baseline) if factor_of(name) == factor_of(key) and name != key]:
            vary.pop(name, None)
            baseline.pop(name, None)
        # A listed point names its level; crossing it with others would change the point. `requested` chooses among the points.
        if factor_of(key) not in listed_factors:
            vary[key] = key_levels
            baseline[key] = key_levels[0]
    return design.model_copy(update={"vary": vary, "baseline": baseline, "seeds": seeds, "requested": dict(levels)})


def _narrow_zips(design: Design, levels: Mapping[str, Levels]) -> tuple[dict[str, Levels], list[str]]:
    """Return new levels for the zipped keys of which some but not all are requested, so that no pair is broken; and problems."""
    narrowed: dict[str, Levels] = {}
    problems: list[str] = []
    for group in design.zip:
        requested = {key: wanted for key, wanted in levels.items() if factor_of(key) in map(factor_of, group.keys)}
        # None of the keys: the group stays. All of them: the levels of the command line are the new pairs.
        if not requested or set(requested) == set(group.keys):
            continue
        # Keys that are not varied, or have unequal numbers of levels, are reported when the design is expanded.
        rows = list(zip(*(design.vary.get(key, ()) for key in group.keys), strict=False))
        columns = dict(zip(group.keys, zip(*rows, strict=True), strict=False))
        for key, wanted in requested.items():
            allowed = columns.get(key, ())
            problems += [_unpaired_level(group, key, level, allowed) for level in wanted if level not in allowed]
        kept = [row for row in rows if _has_levels(dict(zip(group.keys, row, strict=True)), requested)]
        narrowed |= {key: tuple(row[column] for row in kept) for column, key in enumerate(group.keys)}
    return narrowed, problems


def _has_levels(row: Mapping[str, str], requested: Mapping[str, Levels]) -> bool:
    return all(level in requested.get(key, (level,)) for key, level in row.items())


def _unpaired_level(group: Zip, key: str, level: str, allowed: Sequence[str]) -> str:
    # The key has no pair at all where it is the other name of a zipped factor, as `count.size` is of `count`.
    advice = f"allowed: {', '.join(allowed)}{did_you_mean(level, allowed)}; or" if allowed else "instead,"
    return f"{key}={level}: {' and '.join(group.keys)} move together ({group.reason}); {advice} give levels of each of them"


def _integers(texts: Levels) -> tuple[int, ...]:
    """Return the seeds of a command line as numbers. Raises ConfigProblems, naming each text that is no integer from 0."""
    wrong = [text for text in texts if not (text.isascii() and text.isdigit())]
    if wrong:
        raise ConfigProblems([f"seed: given {text!r}; allowed: an integer from 0" for text in wrong])
    return tuple(int(text) for text in texts)
