"""The one comparison that a study names before it is run; all others are exploratory."""

from typing import Literal, Self

from pydantic import model_validator

from ablation.specs.base import Spec


class Primary(Spec):
    """`level` against `reference` of a factor, or with neither, and ``factor: count``, the slope over doublings of the count.

    `tier` is the scope; ``all`` is every question. It cannot change a number, so it is no part of a cell's identity.
    """

    factor: Literal["category", "count", "length", "style"]
    level: str | int | None = None
    reference: str | int | None = None
    tier: str = "all"

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
        what = "each doubling of the count" if self.is_slope else f"{self.factor} {self.level} against {self.reference}"
        return f"{what}, {'all questions' if self.tier == 'all' else f'tier {self.tier}'}"
