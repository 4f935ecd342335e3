"""Plain values with bounds, and a mapping that cannot be changed, shared by the specs."""

from typing import Annotated, NoReturn, TypeVar

from pydantic import Field

K = TypeVar("K")
V = TypeVar("V")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
SeedInt = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class FrozenDict(dict[K, V]):
    """A mapping that cannot be changed: a dict in a spec would let a reader change the key of a cell."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a value of a cell cannot be changed; make another value")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash the items, in whatever order they stand."""
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type["FrozenDict[K, V]"], tuple[dict[K, V]]]:
        """Copy and pickle as a whole: workers get cells as pickles, and item by item could not be set."""
        return type(self), (dict(self),)
