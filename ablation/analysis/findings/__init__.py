"""Numbers as sentences and verdicts."""
