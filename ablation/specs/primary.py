"""The one comparison that a study names before it is run; all others are exploratory."""

from typing import Literal, Self

from pydantic import model_validator

from ablation.specs.base import Spec


class Primary(Spec):
    """One level of a factor against another, or the slope over doublings of the count.

    It cannot change a number, so it is no part of a cell's identity.
    """

    factor: Literal["category", "count", "length", "style"]
    """Factor whose levels are compared."""
    level: str | int | None = None
    """Level that is compared. Null with ``factor: count`` is the slope over doublings of the count."""
    reference: str | int | None = None
    """Level that it is compared with. Null where `level` is."""
    tier: str = "all"
    """Tier whose questions count. ``all`` is every question."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if (self.level is None) != (self.reference is None):
            raise ValueError(f"give both level and reference, or neither, not level={self.level!r} alone")
        if self.level is None and self.factor != "count":
            raise ValueError(f"factor={self.factor!r} needs a level and a reference; only count has a slope of its own")
        return self

    @property
    def is_slope(self) -> bool:
        """True for the change with each doubling of the count."""
        return self.level is None

    def __str__(self) -> str:
        comparison = (
            "each doubling of the count" if self.is_slope else f"{self.factor} {self.level} against {self.reference}"
        )
        return f"{comparison}, {'all questions' if self.tier == 'all' else f'tier {self.tier}'}"
