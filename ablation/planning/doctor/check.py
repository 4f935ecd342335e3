"""One finding of the doctor."""

from dataclasses import dataclass
from typing import Literal

CheckGrade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it unless it is fine. Holds no secret."""

    name: str
    grade: CheckGrade
    found: str
    fix: str = ""


def ok(name: str, found: str) -> Check:
    """Fine."""
    return Check(name, "ok", found)


def warn(name: str, found: str, fix: str) -> Check:
    """Works, with less than one may expect."""
    return Check(name, "warn", found, fix)


def fail(name: str, found: str, fix: str) -> Check:
    """A study would fail here."""
    return Check(name, "fail", found, fix)
