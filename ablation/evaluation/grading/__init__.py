"""From completions to verdicts: extraction, comparison, and algebra in worker processes that may be killed."""
