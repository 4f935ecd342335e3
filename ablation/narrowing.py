"""What the command line says about a design; pure."""

from collections.abc import Mapping, Sequence

from ablation.design import WHOLE_COUNT, Design, Zip, factor_of
from ablation.errors import ConfigProblems, nearest


def override(design: Design, levels: Mapping[str, tuple[str, ...]]) -> Design:
    """The design with levels given on the command line: they replace the factor's own, and a single level its baseline too.

    ``count.size`` stands for the whole factor `count`. A key that the design does not know becomes a further factor. Of zipped
    keys, one alone chooses among the pairs; all together replace them. Of listed and included points, those remain that have
    the given levels. Raises ConfigProblems.
    """
    if "count" in levels and WHOLE_COUNT in levels:
        raise ConfigProblems([f"count and {WHOLE_COUNT} are one factor; give one of them"])
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
