"""One finding of the doctor."""

from dataclasses import dataclass
from typing import Literal

CheckGrade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. It holds no secret."""

    name: str
    grade: CheckGrade
    found: str
    """The state that was found, in words."""
    fix: str = ""
    """The step to take, unless it is fine."""


def ok(name: str, found: str) -> Check:
    """Return a check of something that is fine."""
    return Check(name, "ok", found)


def warn(name: str, found: str, fix: str) -> Check:
    """Return a check of something that works, with less than one may expect."""
    return Check(name, "warn", found, fix)


def fail(name: str, found: str, fix: str) -> Check:
    """Return a check of something at which a study would fail."""
    return Check(name, "fail", found, fix)
