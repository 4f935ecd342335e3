"""Cells as they are asked for on a command line: ``category=geometry,algebra count>=100 state=failed``."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.errors import UsageError, did_you_mean
from ablation.specs.cell import Cell

_FORM = re.compile(r"(?P<key>[A-Za-z_.]+)(?P<sign>>=|<=|!=|=|>|<)(?P<level>.+)")
_FACTORS = ("category", "count", "length", "style", "seed")
_FIXED = ("model", "corpus", "benchmark")
_KEYS = (*_FACTORS, *_FIXED, "cell", "state")
_SIZES = ("count", "seed")
_BETWEEN: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class UnknownFilter(UsageError):  # noqa: N818 named after what was seen
    """A filter names what this study does not have; the text says what it has."""


@dataclass(frozen=True)
class Filter:
    """One condition: `key` of a cell is, or is not, one of `levels`, or lies on one side of a number."""

    key: str
    sign: str
    levels: tuple[str, ...]

    def holds(self, value: object) -> bool:
        """True when a cell with this value of the key passes. The base model has no category and passes no level of it."""
        if self.sign in _BETWEEN:
            return isinstance(value, int) and _BETWEEN[self.sign](value, int(self.levels[0]))
        return (str(value) in self.levels) == (self.sign == "=")


@dataclass(frozen=True)
class Filters:
    """Conditions that all hold: on what a cell is, and on its state."""

    factors: tuple[Filter, ...] = ()
    states: tuple[Filter, ...] = ()

    def cells(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells that pass, whatever their state."""
        return [cell for cell in cells if all(one.holds(value_of(cell, one.key)) for one in self.factors)]

    def has_state(self, state: str) -> bool:
        """True when a cell in this state passes."""
        return all(one.holds(state) for one in self.states)


def value_of(cell: Cell, key: str) -> str | int | None:
    """What a filter can name: a factor, the cell's name, or what is held fixed around the factors."""
    if key == "cell":
        return cell.name
    if key in _FIXED:
        part = getattr(cell, key)
        return part.name if part else None
    return cell.factor(key)


def read_filters(texts: Sequence[str], cells: Sequence[Cell], states: Sequence[str]) -> Filters:
    """The filters of a command line, checked against the study. Raises UnknownFilter with everything that is wrong."""
    problems: list[str] = []
    found: list[Filter] = []
    for text in texts:
        matched = _FORM.fullmatch(text)
        key, sign = (matched["key"], matched["sign"]) if matched else (text, "")
        if matched is None or key not in _KEYS:
            problems.append(f"{text!r}: not KEY=LEVEL with a key of: {', '.join(_KEYS)}{did_you_mean(key, _KEYS)}")
            continue
        levels = tuple(matched["level"].split(","))
        problems += _wrong(text, key, sign, levels, states if key == "state" else _levels(cells, key))
        found.append(Filter(key, sign, levels))
    if problems:
        raise UnknownFilter("\n".join(problems))
    return Filters(tuple(one for one in found if one.key != "state"), tuple(one for one in found if one.key == "state"))


def _wrong(text: str, key: str, sign: str, levels: Sequence[str], allowed: Sequence[str]) -> list[str]:
    if sign in _BETWEEN:
        fits = key in _SIZES and len(levels) == 1 and levels[0].isdigit()
        return [] if fits else [f"{text!r}: {sign} compares {' or '.join(_SIZES)} with a whole number"]
    shown = ", ".join(allowed[:12]) + (f", … ({len(allowed)})" if len(allowed) > 12 else "")
    return [
        f"{text!r}: no cell has {key} {level}; there are: {shown}{did_you_mean(level, allowed)}"
        for level in levels
        if level not in allowed
    ]


def _levels(cells: Sequence[Cell], key: str) -> list[str]:
    present = {str(value) for cell in cells if (value := value_of(cell, key)) is not None}
    return sorted(present, key=lambda level: level.zfill(12) if level.isdigit() else level)
