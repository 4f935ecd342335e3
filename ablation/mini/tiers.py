"""The study's tier rule as pure functions of reference counts, and the choice of the benchmark's questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

TIERS = ("easy", "medium", "hard", "exh")
QUOTAS = {"easy": 6, "medium": 13, "hard": 15, "exh": 6}
PASS_LINE = 0.5
EXH_LINE = 0.1
ROLES = ("base", "small", "large")


@dataclass(frozen=True, slots=True)
class Count:
    """What one reference model did on one question: `correct` of `attempts`. `role` is base, small or large."""

    question: int
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


def tier(counts: Sequence[Count]) -> str:
    """The tier of one question: base > 50 % easy; small-scale SFT > 50 % medium; every model < 10 % exh; else hard.

    The rate of a role is pooled over its models (seeds); the last line looks at each model by itself.
    """
    if _rate(counts, "base") > PASS_LINE:
        return "easy"
    if _rate(counts, "small") > PASS_LINE:
        return "medium"
    if all(count.correct / count.attempts < EXH_LINE for count in counts):
        return "exh"
    return "hard"


def _rate(counts: Sequence[Count], role: str) -> float:
    mine = [count for count in counts if count.role == role]
    if not mine:
        question = counts[0].question if counts else "(none)"
        raise ValueError(
            f"question {question} has no reference run of role {role!r}; the rule needs {', '.join(ROLES[:2])}"
        )
    return sum(count.correct for count in mine) / sum(count.attempts for count in mine)


def tiers(counts: Sequence[Count]) -> dict[int, str]:
    """Question → tier for every question in the table."""
    by_question: dict[int, list[Count]] = {}
    for count in counts:
        by_question.setdefault(count.question, []).append(count)
    return {question: tier(mine) for question, mine in sorted(by_question.items())}


def choose(tier_of: Mapping[int, str], seed: str, quotas: Mapping[str, int] = QUOTAS) -> dict[str, list[int]]:
    """Tier → the ids of a seeded random choice of its questions, as many as the quota says."""
    rng = Random(seed)
    chosen: dict[str, list[int]] = {}
    for name, quota in quotas.items():
        pool = sorted(question for question, mine in tier_of.items() if mine == name)
        if len(pool) < quota:
            raise ValueError(
                f"tier {name}: {quota} questions wanted, {len(pool)} found; add candidates or lower the quota"
            )
        chosen[name] = sorted(rng.sample(pool, quota))
    return chosen
