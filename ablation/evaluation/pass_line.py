"""When a pass line is decided: the moment from which no attempt still to come can change whether it is reached.

Curtailed sampling (curtailment of a fixed sample; Wald 1947, *Sequential Analysis*, and for two outcomes Phatak and Bhatt 1967,
Technometrics 9): the verdict is that of all planned attempts, with certainty and in any order. The counts are not: they end on a
failure too many or a success enough, so their share estimates nothing, and nothing here computes one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ablation.specs import PassLine

Answer = Literal["reached", "missed"]


@dataclass
class Decision:
    """Counts of correct and other attempts, of so many `planned`."""

    line: PassLine
    planned: int
    correct: int = 0
    failed: int = 0

    def hear(self, verdicts: Iterable[str]) -> None:
        """Count further attempts. What is not correct has failed, as in avg@n."""
        for verdict in verdicts:
            self.correct += verdict == "correct"
            self.failed += verdict != "correct"

    @property
    def answer(self) -> Answer | None:
        """Whether the line is reached, or None while attempts still to come could say either."""
        needed = self.line.needed(self.planned)
        if self.correct >= needed:
            return "reached"
        return "missed" if self.failed > self.planned - needed else None

    def told(self) -> dict[str, Any]:
        """The decision as it stands in records."""
        return {
            "tier": self.line.tier, "share": self.line.share, "answer": self.answer, "correct": self.correct,
            "attempts": self.correct + self.failed, "planned": self.planned,
        }  # fmt: skip
