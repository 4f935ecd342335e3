"""The choice of the benchmark's questions: a seeded draw from each tier, as many as its quota says."""

from collections.abc import Mapping
from random import Random

from ablation.data.benchmark.tier_rule import TierRule

TIER_QUOTAS = {"easy": 6, "medium": 13, "hard": 15, "exh": 6}
# The rule to the letter: a question is exh where every model, and not only all of them together, lies below 10 %.
TIER_RULE = TierRule(exh_over="each")


def choose_questions(
    tier_of: Mapping[int, str], seed: str, quotas: Mapping[str, int] = TIER_QUOTAS
) -> dict[str, list[int]]:
    """Return tier → the sorted ids of the questions chosen from it, in the order of the quotas.

    The order of `tier_of` (question → tier) does not matter. Raises ValueError where a tier has fewer questions than its
    quota.
    """
    rng = Random(seed)
    chosen: dict[str, list[int]] = {}
    for name, quota in quotas.items():
        pool = sorted(question for question, tier in tier_of.items() if tier == name)
        if len(pool) < quota:
            raise ValueError(
                f"tier {name}: {quota} questions wanted, {len(pool)} found; add candidates or lower the quota"
            )
        chosen[name] = sorted(rng.sample(pool, quota))
    return chosen
