"""The embedded study: a small, real world in which fine-tuning can be ablated on a laptop.

It is a model of the mechanism (parts known, habit of writing steps acquired), not evidence about large models.
`python -m ablation.mini corpus | base | benchmark` regenerates everything under `DATA`.
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
CORPUS = DATA / "corpus.parquet"
BASE_MODEL = DATA / "base"
BENCHMARK = DATA / "benchmark.jsonl"
CANDIDATES = DATA / "candidates.jsonl"
CANDIDATE_TIERS = DATA / "candidate_steps.yaml"
TIERS = DATA / "tiers.yaml"
REFERENCE_RUNS = DATA / "reference_runs.csv"
