"""From weights to completions: seeded attempts, one engine behind one function."""
