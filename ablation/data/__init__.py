"""What a study reads: corpora, benchmarks and base models."""
