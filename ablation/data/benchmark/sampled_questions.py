"""The questions that a sampling asks: all of them, or those of the tier whose pass line it decides."""

from ablation.data.benchmark.questions import read_questions
from ablation.data.benchmark.tiers import read_tiers, tier_names
from ablation.errors import DataError, did_you_mean
from ablation.specs import Benchmark, Sample
from ablation.store.records import Question

EVERY_TIER = "all"


def sampled_questions(benchmark: Benchmark, sample: Sample) -> tuple[Question, ...]:
    """In the order of the benchmark. Raises DataError when the pass line is drawn in a tier that it has not."""
    questions, line = read_questions(benchmark), sample.decides
    if line is None or line.tier == EVERY_TIER:
        return questions
    names = [*tier_names(benchmark), EVERY_TIER]
    if line.tier not in names:
        raise DataError(
            f"sample.pass_line.tier: given {line.tier!r}; allowed for benchmark {benchmark.name}: {', '.join(names)}"
            f"{did_you_mean(line.tier, names)}"
        )
    tiers = read_tiers(benchmark)
    return tuple(one for one in questions if tiers[one.id] == line.tier)
