"""A benchmark: questions with reference answers, and the tiers that divide them."""

from ablation.data.benchmark.questions import read_questions
from ablation.data.benchmark.sampled_questions import sampled_questions
from ablation.data.benchmark.tiers import read_tiers, tier_names

__all__ = ["read_questions", "read_tiers", "sampled_questions", "tier_names"]
