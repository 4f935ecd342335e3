"""From weights to verdicts: sample, then grade."""
