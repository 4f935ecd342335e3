"""The study's tier rule: from pass rates of reference models to the tier of each question (arXiv 2504.11741).

As stated there: the base model above 50 % is easy, small-scale fine-tuning above 50 % medium, every model below 10 % exh, and the
rest hard. Labels that were published are the authority; this rule is for benchmarks that have none, and for comparing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

STUDY_TIERS = ("easy", "medium", "hard", "exh")
ROLES = ("base", "small", "large")

Id = TypeVar("Id", int, str)


@dataclass(frozen=True)
class TierRule:
    """The thresholds, as shares of correct attempts. A role's rate is pooled over its models.

    `exh_over` says what must lie below `exh_below`: the rate `pooled` over all attempts of all models, which gives the study's
    four questions, or the rate of `each` model. To the letter it is each model; but then one success in eight would lift ids 62
    and 89 out of the tier in which the study has them.
    """

    easy_above: float = 0.5
    medium_above: float = 0.5
    exh_below: float = 0.1
    exh_over: Literal["pooled", "each"] = "pooled"

    def stated(self) -> list[str]:
        """The rule in words, one line a tier."""
        over = "all attempts together" if self.exh_over == "pooled" else "every model"
        return [
            f"easy: base model above {self.easy_above:.0%}",
            f"medium: else small-scale fine-tuning above {self.medium_above:.0%}",
            f"exh: else {over} below {self.exh_below:.0%}",
            "hard: the rest",
        ]


@dataclass(frozen=True)
class ReferenceCount(Generic[Id]):
    """What one reference model did on one question: `correct` of `attempts`. `role` is base, small or large."""

    question: Id
    role: str
    model: str
    attempts: int
    correct: int

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role {self.role!r} of question {self.question} is none of {', '.join(ROLES)}")
        if not 0 <= self.correct <= self.attempts or self.attempts == 0:
            raise ValueError(
                f"question {self.question}, model {self.model}: {self.correct} of {self.attempts} is not a count; "
                "give attempts ≥ 1 and 0 ≤ correct ≤ attempts"
            )

    @property
    def rate(self) -> float:
        """The share of correct attempts."""
        return self.correct / self.attempts


def question_tier(counts: Sequence[ReferenceCount[Id]], rule: TierRule) -> str:
    """The tier of one question. Raises ValueError where a role that the rule needs has no count."""
    if _role_rate(counts, "base") > rule.easy_above:
        return "easy"
    if _role_rate(counts, "small") > rule.medium_above:
        return "medium"
    rates = [pooled_rate(counts)] if rule.exh_over == "pooled" else [count.rate for count in counts]
    return "exh" if all(rate < rule.exh_below for rate in rates) else "hard"


def question_tiers(counts: Iterable[ReferenceCount[Id]], rule: TierRule) -> dict[Id, str]:
    """Question → tier for every question, in the order in which they first appear."""
    by_question: dict[Id, list[ReferenceCount[Id]]] = {}
    for count in counts:
        by_question.setdefault(count.question, []).append(count)
    return {question: question_tier(mine, rule) for question, mine in by_question.items()}


def disagreements(by_rule: Mapping[Id, str], labels: Mapping[Id, str]) -> list[Id]:
    """The questions that have a label, and another tier by the rule."""
    return [question for question, found in by_rule.items() if labels.get(question, found) != found]


def pooled_rate(counts: Sequence[ReferenceCount[Id]]) -> float:
    """The share of correct attempts of several counts together."""
    return sum(count.correct for count in counts) / sum(count.attempts for count in counts)


def _role_rate(counts: Sequence[ReferenceCount[Id]], role: str) -> float:
    mine = [count for count in counts if count.role == role]
    if not mine:
        question = counts[0].question if counts else "(none)"
        raise ValueError(
            f"question {question} has no reference run of role {role!r}; the rule needs {', '.join(ROLES[:2])}"
        )
    return pooled_rate(mine)
