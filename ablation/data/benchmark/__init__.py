"""A benchmark: questions with reference answers, and the tiers that divide them."""

from ablation.data.benchmark.asked import asked_questions
from ablation.data.benchmark.questions import read_questions
from ablation.data.benchmark.tiers import read_tiers, tier_names

__all__ = ["asked_questions", "read_questions", "read_tiers", "tier_names"]
