"""The choice of the benchmark's questions: the study's rule over the kept reference runs, then a seeded draw from each tier."""

from collections.abc import Mapping, Sequence
from random import Random

from ablation.data.benchmark import tier_rule as tiering
from ablation.data.benchmark.tier_rule import ROLES, TIERS, TierRule

__all__ = ["QUOTAS", "ROLES", "TIERS", "Count", "choose", "tier", "tiers"]

QUOTAS = {"easy": 6, "medium": 13, "hard": 15, "exh": 6}
_RULE = TierRule(exh_over="each")
Count = tiering.ReferenceCount[int]


def tier(counts: Sequence[Count]) -> str:
    """The tier of one question."""
    return tiering.tier(counts, _RULE)


def tiers(counts: Sequence[Count]) -> dict[int, str]:
    """Question → tier for every question in the table, by id."""
    return dict(sorted(tiering.tiers(counts, _RULE).items()))


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
