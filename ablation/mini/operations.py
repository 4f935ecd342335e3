"""Elementary operations on whole numbers 0..99: the facts from which every problem of the embedded world is built."""

from collections.abc import Callable
from dataclasses import dataclass

LARGEST = 99
NO_OPERAND = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One family of facts: `left <symbol> = apply(left, operand)`."""

    symbol: str
    """The words between `left` and `=`; `{k}` stands for the operand."""
    operands: range
    apply: Callable[[int, int], int | None]
    """From the value and the operand to the result; None where there is none."""
    inverse: str | None = None
    """The operation that leads back with the same operand; None where the value before cannot be recovered."""

    def result(self, left: int, operand: int) -> int | None:
        """Return the result, or None where the operation leaves the whole numbers 0..99."""
        value = self.apply(left, operand)
        return value if value is not None and 0 <= value <= LARGEST else None


def _divide(value: int, divisor: int) -> int | None:
    """Return the quotient, or None where the division leaves a remainder."""
    return value // divisor if value % divisor == 0 else None


def _swap_digits(value: int) -> int | None:
    """Return the number with its digits swapped, or None where a digit is zero: swapping twice must return the number."""
    tens, units = divmod(value, 10)
    return 10 * units + tens if tens and units else None


_NONE = range(NO_OPERAND, NO_OPERAND + 1)
OPERATIONS: dict[str, Operation] = {
    "add": Operation("+ {k}", range(1, 10), lambda a, k: a + k, inverse="sub"),
    "sub": Operation("- {k}", range(1, 10), lambda a, k: a - k, inverse="add"),
    "double": Operation("* 2", _NONE, lambda a, _: 2 * a, inverse="halve"),
    "triple": Operation("* 3", _NONE, lambda a, _: 3 * a, inverse="third"),
    "halve": Operation("/ 2", _NONE, lambda a, _: _divide(a, 2), inverse="double"),
    "third": Operation("/ 3", _NONE, lambda a, _: _divide(a, 3), inverse="triple"),
    "raise": Operation("max {k}", range(10, 90), max),
    "cap": Operation("min {k}", range(10, 90), min),
    "mod": Operation("mod {k}", range(5, 10), lambda a, k: a % k),
    "swap": Operation("swap", _NONE, lambda a, _: _swap_digits(a), inverse="swap"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One link of a chain: an operation with its operand."""

    kind: str
    """The operation's name in `OPERATIONS`."""
    operand: int = NO_OPERAND
    """`NO_OPERAND` where the operation takes none."""

    @property
    def symbol(self) -> str:
        """The step as written between `left` and `=`, such as `+ 4`."""
        return OPERATIONS[self.kind].symbol.format(k=self.operand)

    def result(self, left: int) -> int | None:
        """Return the value after this step, or None where it is not defined."""
        return OPERATIONS[self.kind].result(left, self.operand)

    def equation(self, left: int, right: int) -> str:
        """Return `left <symbol> = right`, whether or not it is true."""
        return f"{left} {self.symbol} = {right}"

    def check(self, left: int, right: int) -> str | None:
        """Return the inverse equation `right <inverse> = left`, or None for operations that forget their input."""
        inverse = OPERATIONS[self.kind].inverse
        return Step(inverse, self.operand).equation(right, left) if inverse else None
