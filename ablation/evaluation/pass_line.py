"""The decision of a pass line: it is made once no attempt still to come can change whether the line is reached.

Curtailed sampling (curtailment of a fixed sample; Wald 1947, *Sequential Analysis*, and for two outcomes Phatak and Bhatt 1967,
Technometrics 9): the decision is the one that all planned attempts would make, with certainty and in any order. The counts of
correct and failed attempts are not those of all: they end on a failure too many or on a success enough. So their share estimates
nothing, and nothing here computes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ablation.specs import PassLine

Answer = Literal["reached", "missed"]


@dataclass
class Decision:
    """Counts of correct and failed attempts, and the answer as soon as they decide it.

    At a share of 0.9, 80 planned attempts must hold 72 correct ones. So the ninth failure decides:

    >>> decision = Decision(PassLine(tier="all", share=0.9), planned=80)
    >>> decision.count(["correct"] * 71 + ["wrong"] * 8)
    >>> decision.answer is None
    True
    >>> decision.count(["truncated"])
    >>> decision.answer
    'missed'
    """

    line: PassLine
    planned: int
    """Number of attempts that would be made without a pass line."""
    correct: int = 0
    failed: int = 0

    def count(self, verdicts: Iterable[str]) -> None:
        """Count further attempts. An attempt that is not correct has failed, as in avg@n."""
        for verdict in verdicts:
            self.correct += verdict == "correct"
            self.failed += verdict != "correct"

    @property
    def answer(self) -> Answer | None:
        """Return `reached` or `missed`, or None while the attempts still to come could lead to either."""
        needed = self.line.needed(self.planned)
        if self.correct >= needed:
            return "reached"
        return "missed" if self.failed > self.planned - needed else None

    def as_record(self) -> dict[str, Any]:
        """Return the decision in plain values, as it is written to ``summary.json``."""
        return {
            "tier": self.line.tier, "share": self.line.share, "answer": self.answer, "correct": self.correct,
            "attempts": self.correct + self.failed, "planned": self.planned,
        }  # fmt: skip
